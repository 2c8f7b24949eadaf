import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { mutants } from "../../scripts/mutants/table.ts";

const root = new URL("../../", import.meta.url).pathname;

describe("every mutant", () => {
  test("has a name of its own", () => {
    expect(new Set(mutants.map(({ name }) => name)).size).toBe(mutants.length);
  });

  test.each(mutants.map((mutant) => [mutant.name, mutant] as const))(
    "%s changes one place that is there",
    (_, mutant) => {
      const parts = readFileSync(`${root}${mutant.file}`, "utf8").split(mutant.find);
      expect(parts.length).toBe(2);
      expect(mutant.replace).not.toBe(mutant.find);
      expect(mutant.tests.filter((file) => !existsSync(`${root}${file}`))).toEqual([]);
    },
  );
});
