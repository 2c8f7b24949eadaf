import { describe, expect, test } from "bun:test";
import { isLibraryError } from "../../src/core/error.ts";
import { type Digest, hashAlgorithm, isDigest, parseDigest } from "../../src/oci/digest.ts";

const hex = "0123456789abcdef".repeat(4);

describe("isDigest()", () => {
  test.each([
    `sha256:${hex}`,
    `sha512:${hex}${hex}`,
    "sha256+b64u:LCa0a2j_xo_5m0U8HTBBNBNCLXBkg7-g-YpeiGJm564",
    "md5:abc",
  ])("takes %s", (text) => expect(isDigest(text)).toBe(true));

  test.each([
    "sha256:../../etc/passwd",
    `sha256:${hex.toUpperCase()}`,
    `sha256:${hex.slice(1)}`,
    "sha256:",
    `sha256:${hex}\n`,
    `sha256:${hex.slice(1)}\u0661`,
    hex,
    `SHA256:${hex}`,
    `sha512:${hex}`,
    `x:${"a".repeat(600)}`,
    "__proto__:abc",
  ])("refuses %j", (text) => expect(isDigest(text)).toBe(false));
});

test("parseDigest() throws invalid-digest for what is none", () => {
  expect(() => parseDigest("latest")).toThrow(expect.objectContaining({ code: "invalid-digest" }));
});

test("hashAlgorithm() refuses algorithms that are not computed", () => {
  for (const digest of ["md5:abc", "sha1:abc", `blake3:${hex}`] as Digest[]) {
    try {
      hashAlgorithm(digest);
      throw new Error("accepted");
    } catch (error) {
      expect(isLibraryError(error, "unsupported-digest")).toBe(true);
    }
  }
});
