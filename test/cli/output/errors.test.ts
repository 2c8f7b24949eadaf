import { describe, expect, test } from "bun:test";
import { renderError } from "../../../src/cli/output/errors.ts";
import { InvalidInputError } from "../../../src/core/error.ts";

const same = (text: string) => text;
const plain = { bold: same, dim: same, red: same, green: same, yellow: same };
const render = (message: string, problems: InvalidInputError["problems"], hint?: string) =>
  renderError(new InvalidInputError(message, { problems, hint }), plain, { debug: false });

describe("renderError() of one problem", () => {
  const problem = { file: "m.yaml", line: 2, column: 3, message: "a is empty", hint: "Write a" };

  test("says it and its hint once where the message holds it", () => {
    expect(render("Cannot read m.yaml:2:3: a is empty", [problem], "Write a")).toBe(
      "error: Cannot read m.yaml:2:3: a is empty\nhint: Write a\n",
    );
  });
  test("keeps both hints where they differ", () => {
    expect(render("Cannot read m.yaml:2:3: a is empty", [problem], "Edit it")).toBe(
      "error: Cannot read m.yaml:2:3: a is empty\nhint: Write a\nhint: Edit it\n",
    );
  });
  test("keeps a place that the message does not hold, and the hint once", () => {
    expect(render("Cannot use m.yaml: a is empty", [problem], "Write a")).toBe(
      "error: Cannot use m.yaml: a is empty\n  m.yaml:2:3: a is empty\n    hint: Write a\n",
    );
  });
});
