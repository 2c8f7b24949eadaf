import { describe, expect, test } from "bun:test";
import { isReferrersTag, referrersTag } from "../../src/oci/referrers-tag.ts";

describe("referrersTag()", () => {
  test("cuts the parts as the specification says", () => {
    expect(referrersTag(`sha256:${"a".repeat(64)}`)).toBe(`sha256-${"a".repeat(64)}`);
    expect(referrersTag(`sha512:${"b".repeat(128)}`)).toBe(`sha512-${"b".repeat(64)}`);
    expect(referrersTag(`${"x".repeat(40)}+y:abc=`)).toBe(`${"x".repeat(32)}-abc-`);
  });
});

test("isReferrersTag() takes these tags and the older ones of signatures, and no others", () => {
  const hex = "a".repeat(64);
  expect([`sha256-${hex}`, `sha256-${hex}.sig`, `sha512-${hex}`].map(isReferrersTag)).toEqual([true, true, true]);
  expect([`sha256-${hex}x`, "sha256-abc", "1.0", `v-sha256-${hex}`].map(isReferrersTag)).toEqual(Array(4).fill(false));
});
