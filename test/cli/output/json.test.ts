import { expect, test } from "bun:test";
import { renderEnvelope, resultOf } from "../../../src/cli/output/json.ts";

test("renderEnvelope() escapes what a terminal would obey and stays the same JSON", () => {
  const message = "\u001b[2J\u009b31m\u202e";
  const text = renderEnvelope({
    schemaVersion: 1,
    command: "copy",
    status: "ok",
    exitCode: 0,
    errors: [],
    warnings: [{ code: "x", message }],
  });
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what must not be there
  expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
  expect(JSON.parse(text).warnings[0].message).toBe(message);
});

test("resultOf() leaves the status to the envelope", () => {
  const report = { status: "ok" as const, digest: "sha256:abc" };
  expect(resultOf(report)).toEqual({ digest: "sha256:abc" });
});
