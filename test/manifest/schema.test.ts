import { expect, test } from "bun:test";
import { readFile } from "node:fs/promises";
import { manifestSchemaText, schemaFile } from "../../scripts/generate-schema.ts";

test("schema/manifest.schema.json is what scripts/generate-schema.ts writes", async () => {
  expect(await readFile(schemaFile, "utf8")).toBe(manifestSchemaText());
});

test("manifestSchemaText() closes every object, and every pattern is one of JSON Schema", () => {
  const objects: unknown[] = [];
  const patterns: string[] = [];
  JSON.parse(manifestSchemaText(), (key, value) => {
    if (value?.type === "object") objects.push(value.additionalProperties);
    if (key === "pattern" && typeof value === "string") patterns.push(value);
    return value;
  });
  expect(objects.length).toBeGreaterThan(10);
  expect(objects).not.toContain(undefined);
  expect(patterns.filter((pattern) => /\\p\{/i.test(pattern))).toEqual([]);
  for (const pattern of patterns) new RegExp(pattern, "u");
});
