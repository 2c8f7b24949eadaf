import { describe, expect, test } from "bun:test";
import { isLibraryError } from "../../src/core/error.ts";
import { imageNames, resolveTag } from "../../src/manifest/references.ts";

const registry = { host: "registry.example.org:5000", project: "astro/tools", image: "viewer" };

describe("resolveTag() gives the full name of", () => {
  test.each([
    ["1.0", "registry.example.org:5000/astro/tools/viewer:1.0"],
    ["Latest_1", "registry.example.org:5000/astro/tools/viewer:Latest_1"],
    ["other.example.org/a/b:2", "other.example.org/a/b:2"],
    ["other.example.org/a/b", "other.example.org/a/b:latest"],
    ["localhost:5000/a:1", "localhost:5000/a:1"],
    ["viewer:1", "docker.io/library/viewer:1"],
    ["a/b", "docker.io/a/b:latest"],
  ])("%s", (entry, reference) => {
    expect(resolveTag({ registry }, entry).reference).toBe(reference);
  });
});

test("resolveTag() gives a reference that is read back as the same for docker.io's other name", () => {
  const name = resolveTag({ registry: { ...registry, host: "index.docker.io" } }, "1");
  expect(name.location).toEqual({ kind: "registry", registry: "docker.io", repository: "astro/tools/viewer" });
});

describe("resolveTag() refuses", () => {
  test.each([
    ["-x"],
    ["a b"],
    [""],
    ["x".repeat(129)],
    ["oci:dir:1"],
    [`a.org/b@sha256:${"a".repeat(64)}`],
    ["a.org/B:1"],
  ])("%p", (entry) => {
    try {
      resolveTag({ registry }, entry);
    } catch (error) {
      expect(isLibraryError(error, "invalid-reference")).toBe(true);
      return;
    }
    throw new Error("nothing was thrown");
  });
});

test("imageNames() keeps the order and gives each name once", () => {
  const tags = ["2", "1", "registry.example.org:5000/astro/tools/viewer:2"];
  expect(imageNames({ registry, build: { tags } }).map(({ tag }) => tag)).toEqual(["2", "1"]);
});
