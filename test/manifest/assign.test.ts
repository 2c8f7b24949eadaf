import { describe, expect, test } from "bun:test";
import { assign, typedValue } from "../../src/manifest/assign.ts";
import { formatPath, type Path, parsePath } from "../../src/manifest/path.ts";
import { invalidInput } from "../support/invalid-input.ts";

describe("typedValue() reads", () => {
  test.each<[path: string, text: string, value: unknown]>([
    ["metadata.discovery.version", "1.10", "1.10"],
    ["metadata.discovery.title", "a: b # c", "a: b # c"],
    ["metadata.discovery.title", "true", "true"],
    ["metadata.discovery.deprecated", "true", true],
    ["metadata.discovery.deprecated", "yes", "yes"],
    ["metadata.discovery.url", "null", null],
    ["metadata.discovery.url", "https://a.org", "https://a.org"],
    ["build.tags", "1.10", ["1.10"]],
    ["build.tags", "[1.10, latest]", ["1.10", "latest"]],
    ["build.tags", "", []],
    ["build.tags[0]", "1.0", "1.0"],
    ["metadata.discovery.authors", "{name: 007, email: a@b}", [{ name: "007", email: "a@b" }]],
    ["config.cli.scan", "1", "1"],
    ["config.tools[0].env", "{A: 010}", { A: "010" }],
    ["config.policy", "strict", "strict"],
    ["version", "1", 1],
    ["no.such.key", "[1]", [1]],
  ])("%s=%s", (path, text, value) => {
    expect(typedValue(parsePath(path) ?? [], text)).toEqual(value);
  });
});

test("typedValue() refuses YAML that cannot be read", async () => {
  expect((await invalidInput(() => typedValue(["build", "tags"], "[a"))).code).toBe("invalid-manifest-file");
});

test("assign() makes what is missing and leaves the given value as it was", () => {
  const value = { a: [1] };
  expect(assign(value, ["a", 1], 2)).toEqual({ a: [1, 2] });
  expect(assign(value, ["b", "c", 0], 3)).toEqual({ a: [1], b: { c: [3] } });
  expect(assign(value, ["a"], undefined)).toEqual({});
  expect(value).toEqual({ a: [1] });
});

test.each<[Path]>([[["a", "b"]], [["a", 2]], [["__proto__", "x"]]])(
  "assign() refuses the path %p that does not fit",
  async (path) => {
    expect((await invalidInput(() => assign({ a: [1] }, path, 1))).code).toBe("invalid-input");
    expect(Object.hasOwn(Object.prototype, "x")).toBe(false);
  },
);

test.each<[text: string, path: Path | undefined]>([
  ["a.b", ["a", "b"]],
  ["a[0].b", ["a", 0, "b"]],
  ["a.0.b", ["a", 0, "b"]],
  ['a["b c"]', ["a", "b c"]],
  ["", undefined],
  ["a..b", undefined],
  ["a.", undefined],
  ["a b", undefined],
  ["a[x]", undefined],
])("parsePath() reads %p", (text, path) => {
  expect(parsePath(text)).toEqual(path);
  if (path !== undefined) expect(parsePath(formatPath(path))).toEqual(path);
});
