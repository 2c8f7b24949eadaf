import { describe, expect, test } from "bun:test";
import { maxOctalSize, parsePaxRecords, parseTarHeader, tarHeader } from "../../src/store/tar-header.ts";

const refuse = (problem: string): never => {
  throw new Error(problem);
};

describe("tarHeader()", () => {
  test("is one ustar block for a short name and a size below 8 GiB", () => {
    const bytes = tarHeader("blobs/sha256/abc", maxOctalSize, "file");
    expect(bytes.byteLength).toBe(512);
    expect(parseTarHeader(bytes, refuse)).toEqual({ name: "blobs/sha256/abc", size: maxOctalSize, type: "0" });
  });

  test("marks folders", () => {
    expect(parseTarHeader(tarHeader("blobs/", 0, "folder"), refuse)).toEqual({ name: "blobs/", size: 0, type: "5" });
  });

  test.each([
    ["a long name", `blobs/sha512/${"a".repeat(128)}`, 5, ["path"]],
    ["a size of 8 GiB", "blobs/sha256/abc", maxOctalSize + 1, ["size"]],
    ["both", `blobs/sha512/${"a".repeat(128)}`, 9 * 1024 ** 3, ["path", "size"]],
  ])("writes a pax header for %s", (_, name, size, keys) => {
    const bytes = tarHeader(name, size, "file");
    const first = parseTarHeader(bytes.subarray(0, 512), refuse);
    expect(first.type).toBe("x");
    const records = parsePaxRecords(bytes.subarray(512, 512 + first.size), refuse);
    expect([...records.keys()]).toEqual(keys);
    expect(records.get("path") ?? name).toBe(name);
    expect(Number(records.get("size") ?? size)).toBe(size);
    expect(bytes.byteLength).toBe(1536);
  });
});
