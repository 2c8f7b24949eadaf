import { InvalidInputError } from "../core/error.ts";
import { readYaml } from "./document.ts";
import { formatPath, type Path } from "./path.ts";
import { manifestSchema } from "./schema.ts";
import { hasEntries, hasItem, hasValue, type Schema, schemaAt, unwrap } from "./schema-walk.ts";

/**
 * A copy of `value` in which `path` holds `next`; undefined removes it. Mappings are made on the way, and an index one
 * past the end of a list adds to it. Throws `invalid-input` where the path does not fit.
 */
export function assign(value: unknown, path: Path, next: unknown): unknown {
  return assigned(value, path, next, path);
}

function assigned(value: unknown, path: Path, next: unknown, whole: Path): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return next;
  if (typeof key === "number") {
    const list: unknown = value ?? [];
    if (!Array.isArray(list) || key > list.length) throw refuse(whole, "there is no such entry");
    const entry = assigned(list[key], rest, next, whole);
    return [...list.slice(0, key), ...(entry === undefined ? [] : [entry]), ...list.slice(key + 1)];
  }
  if (key === "__proto__") throw refuse(whole, `"${key}" cannot be a key`);
  if (value !== null && value !== undefined && (typeof value !== "object" || Array.isArray(value))) {
    throw refuse(whole, `what holds "${key}" is no mapping`);
  }
  const entries = new Map<string, unknown>(Object.entries(value ?? {}));
  const entry = assigned(entries.get(key), rest, next, whole);
  if (entry === undefined) entries.delete(key);
  else entries.set(key, entry);
  return Object.fromEntries(entries);
}

/**
 * The value that `text`, as of `--set`, stands for at `path` of a manifest: text as it is where the schema wants a
 * string (`1.10` stays `1.10`), else YAML, in which strings are again as written; one value where a list is wanted is a
 * list of it. Nothing is checked. Throws `invalid-manifest-file` for YAML that cannot be read.
 */
export function typedValue(path: Path, text: string): unknown {
  const schema = schemaAt(manifestSchema, path);
  if (schema === undefined) return readYaml(text, formatPath(path)).value;
  const mayBeNull = schema.type === "nullish" && (text === "null" || text === "");
  return mayBeNull ? null : typed(schema, text, path);
}

function typed(schema: Schema, text: string, path: Path): unknown {
  const inner = unwrap(schema);
  if (isText(inner)) return text;
  const document = readYaml(text, formatPath(path));
  if (!hasItem(inner) || Array.isArray(document.value)) return shaped(inner, document.value, document.source, []);
  // Without brackets: nothing is an empty list, anything else is its only entry
  if (document.value === null) return [];
  const isMapping = typeof document.value === "object";
  return [isMapping ? shaped(inner.item, document.value, document.source, []) : typed(inner.item, text, path)];
}

function shaped(schema: Schema, value: unknown, source: (path: Path) => string | undefined, at: Path): unknown {
  const inner = unwrap(schema);
  if (isText(inner) && typeof value !== "object") return source(at) ?? value;
  if (Array.isArray(value)) {
    return value.map((item, index) => (hasItem(inner) ? shaped(inner.item, item, source, [...at, index]) : item));
  }
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).map(([key, item]) => {
    const below = hasValue(inner) ? inner.value : hasEntries(inner) ? inner.entries[key] : undefined;
    return [key, below === undefined ? item : shaped(below, item, source, [...at, key])] as const;
  });
  return Object.fromEntries(entries);
}

function isText(schema: Schema): boolean {
  return schema.type === "string" || schema.type === "picklist";
}

function refuse(path: Path, problem: string): InvalidInputError {
  return new InvalidInputError(`Cannot set ${formatPath(path)}: ${problem}`, {
    hint: "Name the keys as the manifest does",
  });
}
