import { describe, expect, test } from "bun:test";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { LibraryError } from "../../src/core/error.ts";
import { hexOf } from "../../src/core/hashing.ts";
import { digestOf } from "../../src/oci/make.ts";
import { RegistryClient } from "../../src/registry/client.ts";
import { openBlob } from "../../src/registry/download.ts";
import { collect } from "../../src/store/store.ts";
import { withFolder } from "../support/folder.ts";
import { seededBytes } from "../support/graph.ts";
import { testIo } from "../support/io.ts";
import { type FakeRequest, type FakeResponse, fakeHttp, testSession } from "../support/session.ts";

const bytes = seededBytes(100_000, 3);
const digest = digestOf(bytes);
const cutOff = () => new LibraryError("network-error", "Cannot read from r.example: the connection ended");

function open(http: ReturnType<typeof fakeHttp>) {
  return openBlob(new RegistryClient(testSession({ http }), "r.example", "a/b"), digest, [], testIo());
}

/** Serves the blob, and cuts each connection after `cutAfter` bytes; with `ranges` false, always from the start. */
function server({
  cutAfter,
  ranges = true,
  cuts = Number.POSITIVE_INFINITY,
}: {
  cutAfter?: number;
  ranges?: boolean;
  cuts?: number;
}) {
  let left = cuts;
  return fakeHttp(({ headers }: FakeRequest): FakeResponse => {
    const first = Number(/^bytes=(\d+)-$/.exec(headers.get("range") ?? "")?.[1] ?? 0);
    const cut = cutAfter !== undefined && left-- > 0 ? { cutAfter } : {};
    const length = { "content-length": String(bytes.byteLength) };
    if (first === 0 || !ranges) return { status: 200, headers: length, body: bytes, ...cut };
    const last = bytes.byteLength - 1;
    const range = { "content-range": `bytes ${first}-${last}/${bytes.byteLength}` };
    return { status: 206, headers: range, body: bytes.subarray(first), ...cut };
  }, cutOff);
}

const ranges = ({ requests }: ReturnType<typeof fakeHttp>) => requests.map(({ headers }) => headers.get("range"));

describe("openBlob()", () => {
  test("costs one request, and gives undefined where there is no such blob", async () => {
    const http = server({});
    const blob = await open(http);
    expect(blob?.size).toBe(100_000);
    expect(await collect(await (blob as NonNullable<typeof blob>).stream(), 1e6, "x")).toEqual(bytes);
    expect(http.requests).toHaveLength(1);
    expect(await open(fakeHttp(() => ({ status: 404 })))).toBeUndefined();
  });
});

describe("BlobDownload.stream()", () => {
  test("goes on at the right byte however often the connection breaks", async () => {
    const http = server({ cutAfter: 30_000 });
    const blob = await open(http);
    expect(hexOf("sha256", await collect(await (blob as NonNullable<typeof blob>).stream(), 1e6, "x"))).toBe(
      digest.slice(7),
    );
    expect(ranges(http)).toEqual([null, "bytes=30000-", "bytes=60000-", "bytes=90000-"]);
  });

  test("starts again and skips where the registry serves no ranges", async () => {
    const http = server({ cutAfter: 30_000, ranges: false, cuts: 1 });
    const blob = await open(http);
    const whole = await collect(await (blob as NonNullable<typeof blob>).stream(), 1e6, "x");
    expect(hexOf("sha256", whole)).toBe(digest.slice(7));
  });

  test.each([404, 416])("starts again and skips where a range is answered with %p", async (status) => {
    const http = fakeHttp(({ headers }) => (headers.has("range") ? { status } : { status: 200, body: bytes }));
    const blob = await open(http);
    const rest = await collect(await (blob as NonNullable<typeof blob>).stream(99_000), 1e6, "x");
    expect(hexOf("sha256", rest)).toBe(hexOf("sha256", bytes.subarray(99_000)));
  });

  test("refuses another range than asked for", async () => {
    const headers = { "content-range": "bytes 4-99999/100000" };
    const http = fakeHttp((request) =>
      request.headers.has("range") ? { status: 206, headers, body: bytes } : { status: 200, body: bytes },
    );
    const blob = await open(http);
    await expect((blob as NonNullable<typeof blob>).stream(5)).rejects.toMatchObject({ code: "registry-error" });
  });

  test("gives up where no byte more comes", async () => {
    const http = fakeHttp(() => ({ status: 200, body: bytes, cutAfter: 0 }), cutOff);
    const blob = await open(http);
    const reads = collect(await (blob as NonNullable<typeof blob>).stream(), 1e6, "x");
    await expect(reads).rejects.toMatchObject({ code: "network-error" });
    expect(http.requests.length).toBeLessThanOrEqual(5);
  });

  test("counts a body that ends early as cut, though the connection ended in order", async () => {
    const http = fakeHttp((_, number) => {
      const length = { "content-length": "100000" };
      if (number === 1) return { status: 200, headers: length, body: bytes.subarray(0, 40_000) };
      const range = { "content-range": "bytes 40000-99999/100000" };
      return { status: 206, headers: range, body: bytes.subarray(40_000) };
    });
    const blob = await open(http);
    const whole = await collect(await (blob as NonNullable<typeof blob>).stream(), 1e6, "x");
    expect(hexOf("sha256", whole)).toBe(digest.slice(7));
  });
});

describe("BlobDownload.saveTo()", () => {
  test.each([
    ["goes on at what the file holds", true, 30_000],
    ["writes the file anew where the registry serves no ranges", false, 30_000],
  ])("%s after a cut", async (_, withRanges, cutAfter) => {
    await withFolder({}, async (folder) => {
      const http = server({ cutAfter, ranges: withRanges, cuts: 1 });
      const blob = await open(http);
      const path = join(folder, "blob");
      expect(await blob?.saveTo(path)).toBe(100_000);
      expect(hexOf("sha256", await readFile(path))).toBe(digest.slice(7));
    });
  });

  test("appends what is missing", async () => {
    await withFolder({}, async (folder) => {
      const http = server({});
      const path = join(folder, "blob");
      await writeFile(path, bytes.subarray(0, 77_777));
      const blob = await open(http);
      expect(await blob?.saveTo(path, 77_777)).toBe(100_000 - 77_777);
      expect(hexOf("sha256", await readFile(path))).toBe(digest.slice(7));
      expect(ranges(http)).toEqual([null, "bytes=77777-"]);
    });
  });
});
