import { expect, test } from "bun:test";
import { generatedPages } from "../../scripts/generate-docs.ts";
import { expectGolden } from "../support/golden.ts";

const pages = await generatedPages();

test("generatedPages() are the two that the documentation links to", () => {
  expect(pages.map(({ file }) => file.pathname.split("/").slice(-2).join("/"))).toEqual([
    "docs/cli.md",
    "docs/errors.md",
  ]);
});

test.each(pages.map(({ file, text }) => [file.pathname.split("/").at(-1) ?? "", file, text] as const))(
  "docs/%s is what its sources give",
  async (_, file, text) => {
    await expectGolden(file, text);
  },
);
