import { describe, expect, test } from "bun:test";
import { open, readdir, readFile, rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import { digestOf } from "../../src/oci/make.ts";
import { random } from "../../src/runtime/random.ts";
import { Refusal } from "../../src/server/errors.ts";
import { Uploads } from "../../src/server/uploads.ts";
import { bytesContent } from "../../src/store/store.ts";
import { withFolder } from "../support/folder.ts";
import { seededBytes } from "../support/graph.ts";
import { startTestRegistry } from "../support/registry.ts";

const hour = 3_600_000;
const chunk = (size: number) => bytesContent(seededBytes(size, size)).stream();
const unclaimed = { range: undefined, length: undefined };

async function refused(body: Promise<unknown>): Promise<number | undefined> {
  try {
    await body;
    return undefined;
  } catch (error) {
    return error instanceof Refusal ? error.status : 0;
  }
}

/** Until the call of what it resolves to, a write of any file handle takes half of the bytes and then finds the disk full. */
async function failAfterHalfAWrite(path: string): Promise<() => void> {
  const file = await open(path, "r");
  const prototype: { write: (...given: readonly unknown[]) => Promise<unknown> } = Object.getPrototypeOf(file);
  await file.close();
  const { write } = prototype;
  prototype.write = async function (bytes, offset, length) {
    await write.call(this, bytes, offset, Math.floor(Number(length) / 2));
    throw Object.assign(new Error("no space left on device"), { code: "ENOSPC" });
  };
  return () => {
    prototype.write = write;
  };
}

describe("Uploads", () => {
  test("takes up sessions that an earlier process left, in their repository only", async () => {
    await withFolder({}, async (folder) => {
      const options = { random, now: () => new Date() };
      const session = await new Uploads(folder, options).start("app");
      await session.append(await chunk(100), unclaimed);
      const later = new Uploads(folder, options);
      expect((await later.find("app", session.id)).size).toBe(100);
      expect(await refused(later.find("other", session.id))).toBe(404);
    });
  });

  test("forgets a session and its bytes after its time, also one of an earlier process", async () => {
    await withFolder({}, async (folder) => {
      let now = Date.now();
      const options = { random, now: () => new Date(now) };
      const uploads = new Uploads(folder, options);
      const sessions = [await uploads.start("app"), await uploads.start("app")];
      for (const session of sessions) await session.append(await chunk(10), unclaimed);
      now += 25 * hour;
      expect(await refused(uploads.find("app", sessions[0]?.id ?? ""))).toBe(404);
      expect((await readdir(folder)).length).toBe(1);
      expect(await refused(new Uploads(folder, options).find("app", sessions[1]?.id ?? ""))).toBe(404);
      expect(await readdir(folder)).toEqual([]);
    });
  });

  test("removes the bytes of abandoned sessions when another upload begins", async () => {
    await withFolder({}, async (folder) => {
      let now = Date.now();
      const uploads = new Uploads(folder, { random, now: () => new Date(now) });
      const abandoned = await uploads.start("app");
      await abandoned.append(await chunk(10), unclaimed);
      now += 25 * hour;
      const next = await uploads.start("app");
      expect(await readdir(folder)).toEqual([]);
      expect(await refused(uploads.find("app", abandoned.id))).toBe(404);
      expect((await uploads.find("app", next.id)).size).toBe(0);
    });
  });

  test("works as soon as its folder can be used, also where it could not be before", async () => {
    await withFolder({ ".uploads": "not a folder" }, async (folder) => {
      const path = join(folder, ".uploads");
      const uploads = new Uploads(path, { random, now: () => new Date() });
      await expect(uploads.start("app")).rejects.toMatchObject({ code: "EEXIST" });
      await rm(path);
      const session = await uploads.start("app");
      expect((await uploads.find("app", session.id)).size).toBe(0);
    });
  });

  test("takes up the other sessions where one is gone that was listed", async () => {
    await withFolder({}, async (folder) => {
      const options = { random, now: () => new Date() };
      const session = await new Uploads(folder, options).start("app");
      await session.append(await chunk(100), unclaimed);
      // Listed, and not there: as a file that another process removes in between
      await symlink("absent", join(folder, `00000000-0000-0000-0000-000000000000.${"0".repeat(32)}`));
      expect((await new Uploads(folder, options).find("app", session.id)).size).toBe(100);
    });
  });

  test("refuses more sessions than its bound with 429, and makes room from those that nobody uses", async () => {
    await withFolder({}, async (folder) => {
      let now = 0;
      const uploads = new Uploads(folder, { random, now: () => new Date(now), maxSessions: 2 });
      const kept = await uploads.start("app");
      await kept.append(await chunk(10), unclaimed);
      const empty = await uploads.start("app");
      expect(await refused(uploads.start("app"))).toBe(429);
      now += 2 * 60_000;
      await uploads.start("app");
      expect(await refused(uploads.find("app", empty.id))).toBe(404);
      expect((await uploads.find("app", kept.id)).size).toBe(10);
    });
  });

  test("lets one request at a time work on a session", async () => {
    await withFolder({}, async (folder) => {
      const session = await new Uploads(folder, { random, now: () => new Date() }).start("app");
      let release = () => {};
      const first = session.alone(() => new Promise<void>((resolve) => (release = resolve)));
      expect(await refused(session.alone(async () => {}))).toBe(429);
      release();
      await first;
      expect(await refused(session.alone(async () => {}))).toBeUndefined();
    });
  });

  test("keeps no part of a batch whose write failed, so that the client can go on from the range it is told", async () => {
    await withFolder({}, async (folder) => {
      const session = await new Uploads(folder, { random, now: () => new Date() }).start("app");
      await session.append(await chunk(100), unclaimed);
      const restore = await failAfterHalfAWrite(session.path);
      try {
        await expect(session.append(await chunk(1000), unclaimed)).rejects.toMatchObject({ code: "ENOSPC" });
      } finally {
        restore();
      }
      expect(session.range).toBe("0-99");
      await session.append(await chunk(50), { range: "100-149", length: 50 });
      const whole = Buffer.concat([seededBytes(100, 100), seededBytes(50, 50)]);
      expect(await readFile(session.path)).toEqual(whole);
    });
  });

  test("keeps the session where the blob cannot be used, so that the end can be tried again", async () => {
    await withFolder({}, async (folder) => {
      const uploads = new Uploads(folder, { random, now: () => new Date() });
      const session = await uploads.start("app");
      await session.append(await chunk(2_000_000), unclaimed);
      const digest = digestOf(seededBytes(2_000_000, 2_000_000));
      const empty = () => bytesContent(new Uint8Array()).stream();
      const fails = session.complete(await empty(), { range: undefined, length: 0 }, digest, async () => {
        throw new Error("no space");
      });
      await expect(fails).rejects.toThrow("no space");
      let size = 0;
      await session.complete(await empty(), { range: undefined, length: 0 }, digest, async (content) => {
        size = content.size;
      });
      expect(size).toBe(2_000_000);
      await uploads.discard(session);
      expect(await readdir(folder)).toEqual([]);
    });
  });
});

test("an upload goes on after the registry was started again", async () => {
  await withFolder({}, async (root) => {
    const bytes = seededBytes(50_000, 1);
    const before = await startTestRegistry({ root });
    const begun = await fetch(`${before.url}/v2/app/blobs/uploads/`, { method: "POST" });
    const location = begun.headers.get("location") ?? "";
    await fetch(`${before.url}${location}`, { method: "PATCH", body: bytes.slice(0, 30_000) });
    await before.stop();
    const after = await startTestRegistry({ root });
    try {
      expect((await fetch(`${after.url}${location}`)).headers.get("range")).toBe("0-29999");
      const query = `?digest=${digestOf(bytes)}`;
      const done = await fetch(`${after.url}${location}${query}`, { method: "PUT", body: bytes.slice(30_000) });
      expect(done.status).toBe(201);
      expect((await readdir(join(root, ".uploads"))).length).toBe(0);
    } finally {
      await after.stop();
    }
  });
});
