import { expect, test } from "bun:test";
import { manifestName } from "../../src/operations/manifest-name.ts";
import { thrownBy } from "../support/thrown.ts";

test("manifestName() takes the argument or the flag, and not both", () => {
  expect([manifestName("a", undefined), manifestName(undefined, "b"), manifestName(undefined, undefined)]).toEqual([
    "a",
    "b",
    undefined,
  ]);
  expect(thrownBy(() => manifestName("a", "a"))).toMatchObject({ code: "usage" });
});
