import { afterEach, beforeEach, expect, test } from "bun:test";
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeLock } from "../../src/runtime/lock.ts";
import { testIo } from "../support/io.ts";

const script = new URL("lock-once.ts", import.meta.url).pathname;
let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "library-lock-"));
  path = join(folder, "below", "lock");
});
afterEach(() => rmSync(folder, { recursive: true }));

test("exclusive() resolves to what its body gives and leaves the file there", async () => {
  expect(await makeLock().exclusive(path, testIo(), async () => 7)).toBe(7);
  expect(existsSync(path)).toBe(true);
});

test("exclusive() lets the callers of one process in one at a time, in order", async () => {
  const lock = makeLock();
  const order: number[] = [];
  let inside = 0;
  const enter = (id: number) =>
    lock.exclusive(path, testIo(), async () => {
      expect(++inside).toBe(1);
      await new Promise((resolve) => setImmediate(resolve));
      order.push(id);
      inside--;
    });
  await Promise.all([0, 1, 2, 3, 4].map(enter));
  expect(order).toEqual([0, 1, 2, 3, 4]);
});

test("exclusive() keeps different paths apart", async () => {
  const lock = makeLock();
  const inner = () => lock.exclusive(join(folder, "other"), testIo(), async () => "inside");
  expect(await lock.exclusive(path, testIo(), inner)).toBe("inside");
});

test("exclusive() excludes two locks of one process that know nothing of each other", async () => {
  const inner = () => makeLock().exclusive(path, testIo(), async () => "inside", 50);
  await expect(makeLock().exclusive(path, testIo(), inner)).rejects.toMatchObject({ code: "locked" });
});

test("exclusive() frees the lock when its body throws", async () => {
  const lock = makeLock();
  const fail = () => Promise.reject(new Error("from the body"));
  await expect(lock.exclusive(path, testIo(), fail)).rejects.toThrow("from the body");
  expect(await makeLock().exclusive(path, testIo(), async () => "free", 0)).toBe("free");
});

test("exclusive() fails with locked after its time, also where the holder is of the same process", async () => {
  const lock = makeLock();
  const inner = () => lock.exclusive(path, testIo(), async () => "inside", 50);
  await expect(lock.exclusive(path, testIo(), inner)).rejects.toMatchObject({ code: "locked" });
});

test("exclusive() stops waiting with the reason of the signal", async () => {
  const lock = makeLock();
  const stop = new AbortController();
  const inner = () => {
    const waiting = lock.exclusive(path, testIo(stop.signal), async () => "inside");
    stop.abort(new Error("mine"));
    return waiting;
  };
  await expect(lock.exclusive(path, testIo(), inner)).rejects.toThrow("mine");
});

test("exclusive() fails with io-error where the file cannot be a lock", async () => {
  writeFileSync(join(folder, "file"), "this is not a database, and long enough to be told from one".repeat(10));
  const lock = makeLock();
  await expect(lock.exclusive(join(folder, "file"), testIo(), async () => 1)).rejects.toMatchObject({
    code: "io-error",
  });
  const below = lock.exclusive(join(folder, "file", "lock"), testIo(), async () => 1);
  await expect(below).rejects.toMatchObject({ code: "io-error" });
});

test("exclusive() loses none of 1,000 increments by 20 processes", async () => {
  const file = join(folder, "number");
  writeFileSync(file, "0");
  const children = Array.from({ length: 20 }, () => start([path, "count", file, "50"]));
  expect(await Promise.all(children.map(ended))).toEqual(Array(20).fill(0));
  expect(readFileSync(file, "utf8")).toBe("1000");
});

test("exclusive() gets the lock of a holder that was killed", async () => {
  const holder = start([path, "hold"]);
  await new Promise((resolve) => holder.stdout?.once("data", resolve));
  const outside = makeLock();
  await expect(outside.exclusive(path, testIo(), async () => "taken", 0)).rejects.toMatchObject({ code: "locked" });
  holder.kill("SIGKILL");
  expect(await outside.exclusive(path, testIo(), async () => "taken", 10_000)).toBe("taken");
  await ended(holder);
});

function start(args: readonly string[]): ChildProcess {
  return spawn(process.execPath, [script, ...args], { stdio: ["ignore", "pipe", "inherit"] });
}

function ended(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(child.exitCode);
  return new Promise((resolve) => child.once("exit", resolve));
}
