import { writeFile } from "node:fs/promises";
import { toJsonSchema } from "@valibot/to-json-schema";
import { manifestSchema } from "../src/manifest/schema.ts";

/** Where the schema lies: `schema/manifest.schema.json`. */
export const schemaFile = new URL("../schema/manifest.schema.json", import.meta.url);

/**
 * The text of `schema/manifest.schema.json`: the manifest's schema for editors, as users write it (defaults are
 * optional). Checks in code become the pattern or format that their metadata names; rules between fields stay out.
 */
export function manifestSchemaText(): string {
  const schema = toJsonSchema(manifestSchema, {
    target: "draft-2020-12",
    typeMode: "input",
    ignoreActions: ["check", "raw_check"],
    overrideAction: ({ valibotAction, jsonSchema }) =>
      "requirement" in valibotAction && valibotAction.requirement instanceof RegExp
        ? { ...jsonSchema, pattern: portable(valibotAction.requirement.source) }
        : null,
  });
  const { $schema, ...rest } = schema;
  const head = {
    $schema,
    title: "Library manifest",
    description: "Describes a container image: .library.manifest.yaml",
  };
  return `${JSON.stringify({ ...head, ...rest }, null, 2)}\n`;
}

/** The pattern without classes of Unicode properties, which validators outside JavaScript seldom know. */
function portable(pattern: string): string {
  const controls = "\\u0000-\\u001f\\u007f-\\u009f";
  return pattern.replace(/\\P\{Cc\}/g, `[^${controls}]`).replace(/\\p\{Cc\}/g, controls);
}

if (import.meta.main) await writeFile(schemaFile, manifestSchemaText());
