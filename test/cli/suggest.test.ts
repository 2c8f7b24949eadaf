import { expect, test } from "bun:test";
import { suggest } from "../../src/cli/suggest.ts";

test("suggest() puts the nearest first and keeps within the limit", () => {
  expect(suggest("tga", ["tag", "tags", "tgx", "pull"], 2)).toEqual(["tag", "tgx"]);
});

test("suggest() gives nothing where a third of the word or more is wrong", () => {
  expect(suggest("abc", ["xyz", "axz"])).toEqual([]);
});

test("suggest() prefers what the word begins to what is a letter away", () => {
  expect(suggest("ins", ["ons", "inspect"])[0]).toBe("inspect");
});
