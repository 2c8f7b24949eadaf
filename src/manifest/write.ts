import * as v from "valibot";
import { Document, isMap, isScalar, type YAMLMap } from "yaml";
import type { LibraryManifest } from "./schema.ts";
import { manifestSchema } from "./schema.ts";
import { hasEntries, type Schema, unwrap } from "./schema-walk.ts";

/** What a new manifest leaves to be read in a comment. */
export interface WriteOptions {
  /** Whether `build.output` was asked for; else it stands in a comment, since written out it would be a demand. */
  readonly hasOutput: boolean;
}

/**
 * A new manifest file: every default filled in, keys in the schema's order, each explained by a comment. Strings that a
 * reader of YAML 1.1 would take for something else are quoted.
 */
export function manifestText(manifest: LibraryManifest, { hasOutput }: WriteOptions): string {
  const document = new Document(manifest, { compat: "yaml-1.1", aliasDuplicateObjects: false });
  document.commentBefore = " Library manifest: what the image is, how it is built, where it is published.";
  if (isMap(document.contents)) {
    explain(document.contents, manifestSchema, "");
    const build = document.getIn(["build"]);
    if (isMap(build) && !hasOutput) hideOutput(build, manifest.build.output);
  }
  return document.toString({ lineWidth: 0, flowCollectionPadding: false });
}

/** Sections whose keys are explained one by one; what is below others speaks for itself. */
const explained: ReadonlySet<string> = new Set([
  "",
  "registry",
  "build",
  "metadata",
  "metadata.discovery",
  "config",
  "publish",
]);

function explain(map: YAMLMap, schema: Schema, path: string): void {
  const inner = unwrap(schema);
  if (!hasEntries(inner) || !explained.has(path)) return;
  for (const [index, { key, value }] of map.items.entries()) {
    if (!isScalar(key) || typeof key.value !== "string") continue;
    const entry = inner.entries[key.value];
    if (entry === undefined) continue;
    const text = v.getDescription(unwrap(entry));
    if (text !== undefined) key.commentBefore = ` ${text}`;
    if (path === "" && index > 0) key.spaceBefore = true;
    if (isMap(value)) explain(value, entry, path === "" ? key.value : `${path}.${key.value}`);
  }
}

function hideOutput(build: YAMLMap, output: string): void {
  const at = build.items.findIndex(({ key }) => isScalar(key) && key.value === "output");
  const hidden = build.items[at]?.key;
  const after = build.items[at + 1]?.key;
  if (!isScalar(hidden) || !isScalar(after)) return;
  after.commentBefore = `${hidden.commentBefore ?? ""}\n output: ${output}\n${after.commentBefore ?? ""}`;
  build.items.splice(at, 1);
}
