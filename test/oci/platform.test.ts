import { describe, expect, test } from "bun:test";
import { formatPlatform, matchesPlatform, type Platform, parsePlatform } from "../../src/oci/platform.ts";

describe("parsePlatform()", () => {
  test.each(["linux/amd64", "linux/arm/v7", "windows/amd64:10.0.20348.2031", "linux/*", "*/*"])(
    "reads %s back",
    (text) => expect(formatPlatform(parsePlatform(text))).toBe(text),
  );
  test.each(["", "linux", "linux/", "/amd64", "a/b/c/d", "linux/amd64:", "linux/am d64", "../x/y"])(
    "refuses %j",
    (text) => {
      expect(() => parsePlatform(text)).toThrow(expect.objectContaining({ code: "invalid-platform" }));
    },
  );
});

describe("matchesPlatform()", () => {
  const of = (text: string): Platform => parsePlatform(text);
  test.each([
    ["linux/amd64", "linux/amd64", true],
    ["linux/amd64", "linux/arm64", false],
    ["linux/arm64", "linux/arm64/v8", true],
    ["linux/arm64/v8", "linux/arm64", true],
    ["linux/arm", "linux/arm/v7", true],
    ["linux/arm", "linux/arm/v6", false],
    ["linux/arm/*", "linux/arm/v6", true],
    ["linux/*", "linux/s390x", true],
    ["linux/*", "linux/arm/v6", true],
    ["linux/*", "windows/amd64", false],
    ["windows/amd64:10.0.1", "windows/amd64:10.0.1", true],
    ["windows/amd64:10.0.1", "windows/amd64:10.0.2", false],
    ["windows/amd64", "windows/amd64:10.0.2", true],
    ["linux/amd64", "linux/amd64/v3", false],
    ["linux/amd64/v3", "linux/amd64/v3", true],
  ])("%s asks for %s: %p", (pattern, platform, matches) => {
    expect(matchesPlatform(of(platform), of(pattern))).toBe(matches);
  });
});
