import { describe, expect, test } from "bun:test";
import { shellWords } from "../../src/core/shell-words.ts";

describe("shellWords()", () => {
  test.each<[string, readonly string[]]>([
    ["", []],
    [" \t\n ", []],
    ["a b  c", ["a", "b", "c"]],
    ["--build-arg 'A=1 2' -q", ["--build-arg", "A=1 2", "-q"]],
    ["\"a b\"c'd e'f", ["a bcd ef"]],
    ["'' \"\"", ["", ""]],
    ["a\\ b \\'", ["a b", "'"]],
    ["'a\\b'", ["a\\b"]],
    ['"\\$x \\` \\" \\\\ \\a"', ['$x ` " \\ \\a']],
    ["a\\\nb", ["ab"]],
    ['"a\\\nb"', ["ab"]],
    ["$(rm -rf /) `id` $HOME *", ["$(rm", "-rf", "/)", "`id`", "$HOME", "*"]],
    ["a # b; c | d > e", ["a", "#", "b;", "c", "|", "d", ">", "e"]],
    ["größe", ["größe"]],
  ])("%j is %j", (line, words) => {
    expect(shellWords(line, "the line")).toEqual(words);
  });

  test.each(["'a", '"a', "a\\", '"a\\"'])("refuses %j", (line) => {
    expect(() => shellWords(line, "the line")).toThrow(expect.objectContaining({ code: "usage" }));
  });

  test("divides as sh does", () => {
    for (const line of ["a 'b c' d", '"x y"z', "p\\ q r", "'it'\\''s'", '"a\\"b" c']) {
      const { stdout } = Bun.spawnSync(["sh", "-c", `for word in ${line}; do printf '%s\\0' "$word"; done`]);
      expect(
        shellWords(line, "the line")
          .map((word) => `${word}\0`)
          .join(""),
      ).toBe(stdout.toString());
    }
  });
});
