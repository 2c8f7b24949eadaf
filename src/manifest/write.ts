import * as v from "valibot";
import { Document, isMap, isScalar, type YAMLMap } from "yaml";
import type { LibraryManifest } from "./schema.ts";
import { manifestSchema } from "./schema.ts";
import { hasEntries, type Schema, unwrap } from "./schema-walk.ts";

/** What a new manifest leaves to be read in a comment. */
export interface WriteOptions {
  /** Whether `build.output` was asked for; else it stands in a comment, since written out it would be a demand. */
  readonly hasOutput: boolean;
  /** Whether `metadata.discovery.revision` was asked for; else only a comment stands there, since it would grow old. */
  readonly hasRevision: boolean;
}

/**
 * A new manifest file: every default filled in, keys in the schema's order, each explained by a comment. Strings that a
 * reader of YAML 1.1 would take for something else are quoted.
 */
export function manifestText(manifest: LibraryManifest, { hasOutput, hasRevision }: WriteOptions): string {
  const document = new Document(manifest, { compat: "yaml-1.1", aliasDuplicateObjects: false });
  document.commentBefore = " Library manifest: what the image is, how it is built, where it is published.";
  if (isMap(document.contents)) {
    explain(document.contents, manifestSchema, "");
    const build = document.getIn(["build"]);
    if (isMap(build) && !hasOutput) hide(build, "output", ` output: ${manifest.build.output}`);
    const discovery = document.getIn(["metadata", "discovery"]);
    if (isMap(discovery) && !hasRevision) hide(discovery, "revision", takenLater);
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

/** Stands where a revision would: that of the commit before would be wrong after the next one. */
const takenLater = " revision, created: left out: git gives the revision, build the time (append: SOURCE_DATE_EPOCH)";

/** Leaves a key out, with its explanation and `instead` as a comment in its place. */
function hide(map: YAMLMap, name: string, instead: string): void {
  const at = map.items.findIndex(({ key }) => isScalar(key) && key.value === name);
  const hidden = map.items[at]?.key;
  const after = map.items[at + 1]?.key;
  if (!isScalar(hidden) || !isScalar(after)) return;
  after.commentBefore = `${hidden.commentBefore ?? ""}\n${instead}\n${after.commentBefore ?? ""}`;
  map.items.splice(at, 1);
}
