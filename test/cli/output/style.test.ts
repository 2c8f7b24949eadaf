import { describe, expect, test } from "bun:test";
import { takesBars, takesColours, textStyle } from "../../../src/cli/output/style.ts";

describe("takesColours()", () => {
  test.each<[Record<string, string>, boolean, boolean]>([
    [{}, true, true],
    [{}, false, false],
    [{ NO_COLOR: "1" }, true, false],
    [{ NO_COLOR: "0" }, true, false],
    [{ NO_COLOR: "" }, true, true],
    [{ TERM: "dumb" }, true, false],
    [{ FORCE_COLOR: "1" }, false, true],
    [{ FORCE_COLOR: "0" }, true, false],
    [{ FORCE_COLOR: "1", TERM: "dumb" }, false, true],
    [{ NO_COLOR: "1", FORCE_COLOR: "1" }, true, false],
    [{ CI: "true" }, true, true],
  ])("%j on a terminal (%j) is %j", (env, isTerminal, expected) => {
    expect(takesColours(env, isTerminal)).toBe(expected);
  });
});

describe("takesBars()", () => {
  test.each<[Record<string, string>, boolean, boolean]>([
    [{}, true, true],
    [{}, false, false],
    [{ TERM: "dumb" }, true, false],
    [{ CI: "true" }, true, false],
    [{ CI: "false" }, true, true],
    [{ NO_COLOR: "1" }, true, true],
  ])("%j on a terminal (%j) is %j", (env, isTerminal, expected) => {
    expect(takesBars(env, isTerminal)).toBe(expected);
  });
});

test("textStyle() without colours changes nothing", () => {
  const style = textStyle(false);
  expect([style.bold("a"), style.dim("a"), style.red("a"), style.green("a"), style.yellow("a")]).toEqual(
    Array(5).fill("a"),
  );
});
