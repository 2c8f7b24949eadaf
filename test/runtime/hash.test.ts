import { afterEach, beforeEach, expect, spyOn, test } from "bun:test";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import type { Hash } from "../../src/core/ports.ts";
import { makeHash } from "../../src/runtime/hash.ts";

const signal = new AbortController().signal;
let folder: string;
let hash: Hash;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "library-hash-"));
  hash = makeHash();
});
afterEach(async () => {
  await hash.close();
  rmSync(folder, { recursive: true });
});

test.each([0, 1, 300_000, (4 << 20) - 1, 4 << 20, 9_000_001])("file() gives both digests of %d bytes", async (size) => {
  const bytes = Buffer.alloc(size, "0123456789");
  const path = write("file", bytes);
  expect(await hash.file(path, "sha256", signal)).toBe(createHash("sha256").update(bytes).digest("hex"));
  expect(await hash.file(path, "sha512", signal)).toBe(createHash("sha512").update(bytes).digest("hex"));
});

test("file() serves more callers than it has workers", async () => {
  const files = Array.from({ length: 7 }, (_, at) => Buffer.alloc(5_000_000, at + 1));
  const digests = files.map((bytes, at) => hash.file(write(`file-${at}`, bytes), "sha256", signal));
  expect(await Promise.all(digests)).toEqual(files.map((bytes) => createHash("sha256").update(bytes).digest("hex")));
});

test("file() fails with io-error where there is no file", async () => {
  await expect(hash.file(join(folder, "absent"), "sha256", signal)).rejects.toMatchObject({ code: "io-error" });
});

test("file() fails with io-error for a folder", async () => {
  await expect(hash.file(folder, "sha256", signal)).rejects.toMatchObject({ code: "io-error" });
});

test("file() rejects with the signal's reason, and goes on for others", async () => {
  const path = write("large", Buffer.alloc(64 << 20, 1));
  const stop = new AbortController();
  const stopped = [1, 2, 3, 4].map(() => hash.file(path, "sha256", stop.signal));
  const kept = hash.file(path, "sha256", signal);
  stop.abort(new Error("mine"));
  const outcomes = await Promise.allSettled(stopped);
  expect(outcomes.map((outcome) => outcome.status === "rejected" && outcome.reason)).toEqual(
    Array(4).fill(stop.signal.reason),
  );
  expect(await kept).toBe(
    createHash("sha256")
      .update(Buffer.alloc(64 << 20, 1))
      .digest("hex"),
  );
});

test("file() works again after close()", async () => {
  const path = write("large", Buffer.alloc(5_000_000, 1));
  const first = await hash.file(path, "sha256", signal);
  await hash.close();
  expect(await hash.file(path, "sha256", signal)).toBe(first);
});

test("file() fails with internal where its worker ends without an answer, also for those that wait", async () => {
  const path = write("large", Buffer.alloc(5_000_000, 1));
  const ending = makeHash(async () => evaluated("parentPort.once('message', () => process.exit(3))"));
  const outcomes = await Promise.allSettled([1, 2, 3, 4].map(() => ending.file(path, "sha256", signal)));
  expect(outcomes.map((outcome) => outcome.status === "rejected" && outcome.reason.code)).toEqual(
    Array(4).fill("internal"),
  );
});

test("file() gives no task to a worker that ended while it was idle", async () => {
  const path = write("large", Buffer.alloc(5_000_000, 1));
  const made: Worker[] = [];
  const once = makeHash(async () => {
    const worker = evaluated("parentPort.on('message', () => parentPort.postMessage({ hex: 'one' }))");
    made.push(worker);
    return worker;
  });
  expect(await once.file(path, "sha256", signal)).toBe("one");
  await made[0]?.terminate();
  expect(await once.file(path, "sha256", signal)).toBe("one");
  expect(made).toHaveLength(2);
  await once.close();
});

test("file() fails for all where no worker can be made", async () => {
  const path = write("large", Buffer.alloc(5_000_000, 1));
  const none = makeHash(() => Promise.reject(new Error("no thread")));
  const outcomes = await Promise.allSettled([1, 2, 3, 4].map(() => none.file(path, "sha256", signal)));
  expect(outcomes.map(({ status }) => status)).toEqual(Array(4).fill("rejected"));
});

test("file() leaves no listener on the signal", async () => {
  const own = new AbortController().signal;
  const listeners = new Set<unknown>();
  const added = spyOn(own, "addEventListener").mockImplementation((_, listener) => void listeners.add(listener));
  spyOn(own, "removeEventListener").mockImplementation((_, listener) => void listeners.delete(listener));
  const path = write("large", Buffer.alloc(5_000_000, 1));
  await Promise.all(Array.from({ length: 7 }, () => hash.file(path, "sha256", own)));
  expect(added.mock.calls.length).toBeGreaterThan(7);
  expect(listeners.size).toBe(0);
});

function evaluated(body: string): Worker {
  return new Worker(`const { parentPort } = require("node:worker_threads"); ${body}`, { eval: true });
}

function write(name: string, bytes: Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}
