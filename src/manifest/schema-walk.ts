import type * as v from "valibot";
import type { Path } from "./path.ts";

/** Any schema of the manifest. What it holds is typed by valibot for each kind alone; a field's name tells the kinds apart. */
export type Schema = v.GenericSchema;

/** Whether the schema is of a mapping with known keys. */
export function hasEntries(schema: Schema): schema is Schema & { readonly entries: Readonly<Record<string, Schema>> } {
  return "entries" in schema;
}

/** Whether the schema is of a list. */
export function hasItem(schema: Schema): schema is Schema & { readonly item: Schema } {
  return "item" in schema;
}

/** Whether the schema is of a mapping with keys of the user's choice. */
export function hasValue(schema: Schema): schema is Schema & { readonly value: Schema } {
  return schema.type === "record" && "value" in schema;
}

/** Whether the schema is of a fixed choice of texts. */
export function hasOptions(schema: Schema): schema is Schema & { readonly options: readonly string[] } {
  return schema.type === "picklist" && "options" in schema;
}

/** Whether the schema only says that another may be absent or null. */
export function hasWrapped(schema: Schema): schema is Schema & { readonly wrapped: Schema } {
  return "wrapped" in schema;
}

/** The schema without what says that its value may be absent or null. */
export function unwrap(schema: Schema): Schema {
  return hasWrapped(schema) ? unwrap(schema.wrapped) : schema;
}

/** The schema of the value at `path` below `schema`, wrappers kept; undefined for a path that it does not know. */
export function schemaAt(schema: Schema, path: Path): Schema | undefined {
  const [key, ...rest] = path;
  if (key === undefined) return schema;
  const inner = unwrap(schema);
  if (hasItem(inner)) return typeof key === "number" ? schemaAt(inner.item, rest) : undefined;
  if (hasValue(inner)) return schemaAt(inner.value, rest);
  const entry = hasEntries(inner) && Object.hasOwn(inner.entries, key) ? inner.entries[key] : undefined;
  return entry && schemaAt(entry, rest);
}
