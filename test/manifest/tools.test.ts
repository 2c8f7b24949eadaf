import { expect, test } from "bun:test";
import { defaultTools } from "../../src/manifest/defaults.ts";
import { renderCommand, tokenProblems } from "../../src/manifest/tools.ts";
import { invalidInput } from "../support/invalid-input.ts";

const input = { source: "default", destination: "/config.yaml" };
const tool = (...command: string[]) => ({
  id: "t",
  command,
  inputs: { config: input, "a.b-c_d": { ...input, destination: "/x" } },
});

test.each<[argument: string, rendered: string]>([
  ["{{ image.reference }}", "a.org/b:1"],
  ["{{image.reference}}", "a.org/b:1"],
  ["--config={{ inputs.config }}:{{inputs.a.b-c_d}}", "--config=/config.yaml:/x"],
  ["{ plain }", "{ plain }"],
  ["$(rm -rf /) ; `x`", "$(rm -rf /) ; `x`"],
])("renderCommand() renders %s", (argument, rendered) => {
  expect(renderCommand(tool("run", argument), { imageReference: "a.org/b:1" })).toEqual(["run", rendered]);
});

test("renderCommand() does not read tokens or patterns in what it fills in", () => {
  expect(renderCommand(tool("{{ image.reference }}"), { imageReference: "$& {{ inputs.config }}" })).toEqual([
    "$& {{ inputs.config }}",
  ]);
});

test.each<[argument: string, message: RegExp]>([
  ["{{ image }}", /^Unsupported command token/],
  ["{{ inputs.other }}", /^Unsupported command token/],
  ["{{ inputs.constructor }}", /^Unsupported command token/],
  ["{{ }}", /^Malformed template token/],
  ["{{ image.reference", /^Malformed template token/],
  ["image.reference }}", /^Malformed template token/],
  ["{{ image reference }}", /^Malformed template token/],
  ["{{ a|b }}", /^Malformed template token/],
])("renderCommand() refuses %s", async (argument, message) => {
  const error = await invalidInput(() => renderCommand(tool("run", argument), { imageReference: "a.org/b:1" }));
  expect(error.code).toBe("tool-token");
  expect(error.problems).toHaveLength(1);
  expect(error.problems[0]).toMatchObject({ path: "command[1]" });
  expect(error.problems[0]?.message).toMatch(message);
});

test("tokenProblems() finds none in the default tools", () => {
  expect(defaultTools.flatMap(tokenProblems)).toEqual([]);
});
