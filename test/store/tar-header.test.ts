import { describe, expect, test } from "bun:test";
import { maxOctalSize, parsePaxRecords, parseTarHeader } from "../../src/store/tar-header.ts";
import { type TarEntry, tarHeader } from "../../src/tar/header.ts";

const refuse = (problem: string): never => {
  throw new Error(problem);
};
const entry = (path: string, size: number): TarEntry => ({
  path,
  size,
  type: "file",
  mode: 0o644,
  uid: 0,
  gid: 0,
  mtime: 0,
});

describe("parseTarHeader() and parsePaxRecords()", () => {
  test("read one ustar block for a short name and a size below 8 GiB", () => {
    const bytes = tarHeader(entry("blobs/sha256/abc", maxOctalSize));
    expect(bytes.byteLength).toBe(512);
    expect(parseTarHeader(bytes, refuse)).toEqual({ name: "blobs/sha256/abc", size: maxOctalSize, type: "0" });
  });

  test("read the type of folders", () => {
    expect(parseTarHeader(tarHeader({ ...entry("blobs/", 0), type: "directory" }), refuse)).toEqual({
      name: "blobs/",
      size: 0,
      type: "5",
    });
  });

  test.each([
    ["a long name", `blobs/sha512/${"a".repeat(128)}`, 5, ["path"]],
    ["a size of 8 GiB", "blobs/sha256/abc", maxOctalSize + 1, ["size"]],
    ["both", `blobs/sha512/${"a".repeat(128)}`, 9 * 1024 ** 3, ["path", "size"]],
  ])("read the pax header of %s", (_, name, size, keys) => {
    const bytes = tarHeader(entry(name, size));
    const first = parseTarHeader(bytes.subarray(0, 512), refuse);
    expect(first.type).toBe("x");
    const records = parsePaxRecords(bytes.subarray(512, 512 + first.size), refuse);
    expect([...records.keys()]).toEqual(keys);
    expect(records.get("path") ?? name).toBe(name);
    expect(Number(records.get("size") ?? size)).toBe(size);
    expect(bytes.byteLength).toBe(1536);
  });
});
