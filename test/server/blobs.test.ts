import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { link, mkdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { digestOf } from "../../src/oci/make.ts";
import { parseRange } from "../../src/server/blobs.ts";
import { seededBytes } from "../support/graph.ts";
import { startTestRegistry, type TestRegistry } from "../support/registry.ts";
import { codes, repositoryRequests } from "../support/registry-requests.ts";

let registry: TestRegistry;
beforeAll(async () => {
  registry = await startTestRegistry();
});
afterAll(() => registry.stop());
const repository = (name: string) => repositoryRequests(registry.url, name);

describe("pulling a blob", () => {
  test("GET gives the bytes with length, digest and ranges offered", async () => {
    const bytes = seededBytes(5000, 1);
    const { digest } = await repository("pull").pushBlob(bytes);
    const response = await repository("pull").send("GET", `blobs/${digest}`);
    expect(response.status).toBe(200);
    expect(response.headers.get("content-length")).toBe("5000");
    expect(response.headers.get("docker-content-digest")).toBe(digest);
    expect(response.headers.get("accept-ranges")).toBe("bytes");
    expect(digestOf(await response.bytes())).toBe(digest);
  });

  test("HEAD gives Content-Length and no body", async () => {
    const { digest } = await repository("head").pushBlob(seededBytes(77, 2));
    const response = await repository("head").send("HEAD", `blobs/${digest}`);
    expect(response.status).toBe(200);
    expect(response.headers.get("content-length")).toBe("77");
    expect((await response.bytes()).byteLength).toBe(0);
  });

  test("an empty blob can be pushed and pulled", async () => {
    const { digest } = await repository("empty").pushBlob(new Uint8Array());
    const response = await repository("empty").send("GET", `blobs/${digest}`);
    expect([response.status, response.headers.get("content-length")]).toEqual([200, "0"]);
  });

  test("an unknown blob is 404 BLOB_UNKNOWN, in an unknown repository NAME_UNKNOWN", async () => {
    await repository("some").pushBlob(seededBytes(1, 3));
    const digest = digestOf("absent");
    const response = await repository("some").send("GET", `blobs/${digest}`);
    expect([response.status, await codes(response)]).toEqual([404, ["BLOB_UNKNOWN"]]);
    const elsewhere = await repository("nowhere").send("GET", `blobs/${digest}`);
    expect([elsewhere.status, await codes(elsewhere)]).toEqual([404, ["NAME_UNKNOWN"]]);
  });

  test.each([
    "sha256:abc",
    `md5:${"0".repeat(32)}`,
    `sha256:${"A".repeat(64)}`,
    "sha256:..%2f..%2fetc%2fpasswd",
    `blake3:${"0".repeat(64)}`,
  ])("a digest that cannot be checked is 400 DIGEST_INVALID: %s", async (digest) => {
    const response = await repository("some").send("GET", `blobs/${digest}`);
    expect([response.status, await codes(response)]).toEqual([400, ["DIGEST_INVALID"]]);
  });

  test.each([
    ["bytes=0-0", 206, "bytes 0-0/100", 0, 1],
    ["bytes=10-19", 206, "bytes 10-19/100", 10, 20],
    ["bytes=90-", 206, "bytes 90-99/100", 90, 100],
    ["bytes=-10", 206, "bytes 90-99/100", 90, 100],
    ["bytes=50-1000", 206, "bytes 50-99/100", 50, 100],
    ["bytes=0-1,5-6", 200, null, 0, 100],
    ["lines=0-1", 200, null, 0, 100],
  ])("Range %s is answered with %d", async (range, status, contentRange, from, to) => {
    const bytes = seededBytes(100, 4);
    const { digest } = await repository("range").pushBlob(bytes);
    const response = await repository("range").send("GET", `blobs/${digest}`, { headers: { range } });
    expect([response.status, response.headers.get("content-range")]).toEqual([status, contentRange]);
    expect(await response.bytes()).toEqual(bytes.slice(from, to));
  });

  test("a range behind the end is 416 with the size", async () => {
    const { digest } = await repository("range").pushBlob(seededBytes(100, 4));
    const response = await repository("range").send("GET", `blobs/${digest}`, { headers: { range: "bytes=100-" } });
    expect([response.status, response.headers.get("content-range")]).toEqual([416, "bytes */100"]);
  });

  test("a blob that is a symbolic link is not served", async () => {
    await repository("linked").pushBlob(seededBytes(10, 5));
    const bytes = seededBytes(20, 6);
    const outside = join(registry.root, "outside");
    await writeFile(outside, bytes);
    const digest = digestOf(bytes);
    await symlink(outside, join(registry.root, "linked/blobs/sha256", digest.slice(7)));
    expect((await repository("linked").send("GET", `blobs/${digest}`)).status).toBe(404);
    await rm(outside);
  });
});

test("parseRange() takes what RFC 9110 allows and no more", () => {
  expect(parseRange("bytes=-0", 10)).toBe("unsatisfiable");
  expect(parseRange("bytes=0-", 0)).toBe("unsatisfiable");
  expect(parseRange("bytes=5-4", 10)).toBeUndefined();
  expect(parseRange("bytes=-", 10)).toBeUndefined();
  expect(parseRange("bytes=-99", 10)).toEqual({ offset: 0, length: 10 });
});

describe("deleting a blob", () => {
  test("is 202, then 404", async () => {
    const { digest } = await repository("delete").pushBlob(seededBytes(10, 7));
    expect((await repository("delete").send("DELETE", `blobs/${digest}`)).status).toBe(202);
    expect((await repository("delete").send("GET", `blobs/${digest}`)).status).toBe(404);
    const again = await repository("delete").send("DELETE", `blobs/${digest}`);
    expect([again.status, await codes(again)]).toEqual([404, ["BLOB_UNKNOWN"]]);
  });

  test("leaves a tagged manifest of that digest", async () => {
    const { descriptor } = await repository("delete").pushImage(8, { tag: "kept" });
    expect((await repository("delete").send("DELETE", `blobs/${descriptor.digest}`)).status).toBe(404);
    expect((await repository("delete").send("GET", "manifests/kept")).status).toBe(200);
  });
});

describe("mounting a blob", () => {
  test("is 201 with the blob's Location, and shares the file", async () => {
    const bytes = seededBytes(3000, 9);
    const { digest } = await repository("mount/from").pushBlob(bytes);
    const response = await repository("mount/to").send("POST", `blobs/uploads/?mount=${digest}&from=mount/from`);
    expect(response.status).toBe(201);
    expect(response.headers.get("location")).toBe(`/v2/mount/to/blobs/${digest}`);
    const paths = ["from", "to"].map((name) => join(registry.root, "mount", name, "blobs/sha256", digest.slice(7)));
    const [from, to] = await Promise.all(paths.map((path) => stat(path)));
    expect(to?.ino).toBe(from?.ino);
    expect(digestOf(await (await repository("mount/to").send("GET", `blobs/${digest}`)).bytes())).toBe(digest);
  });

  test.each(["", "&from=not/there", "&from=../../etc", "&from=mount%2Fblobs"])(
    "becomes an upload where it cannot be done: from=%s",
    async (from) => {
      const response = await repository("mount/none").send("POST", `blobs/uploads/?mount=${digestOf("x")}${from}`);
      expect(response.status).toBe(202);
      expect(response.headers.get("location")).toContain("/v2/mount/none/blobs/uploads/");
    },
  );

  test("from without mount begins an upload", async () => {
    expect((await repository("mount/none").send("POST", "blobs/uploads/?from=mount/from")).status).toBe(202);
  });
});

test("a layout that others made with a file in the place of blobs is answered, not followed", async () => {
  const folder = join(registry.root, "foreign");
  await mkdir(join(folder, "real/sha256"), { recursive: true });
  await symlink("real", join(folder, "blobs"));
  await writeFile(join(folder, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  await writeFile(join(folder, "index.json"), '{"schemaVersion":2,"manifests":[]}');
  const { digest } = await repository("foreign-source").pushBlob(seededBytes(5, 10));
  const name = digest.slice(7);
  await link(join(registry.root, "foreign-source/blobs/sha256", name), join(folder, "real/sha256", name));
  expect((await readFile(join(folder, "blobs/sha256", name))).byteLength).toBe(5);
  expect((await repository("foreign").send("GET", `blobs/${digest}`)).status).toBe(404);
});
