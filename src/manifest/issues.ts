import type * as v from "valibot";
import { nearest } from "../core/nearest.ts";
import { formatPath, type Path, pathKey } from "./path.ts";
import { hasEntries, hasItem, hasValue, hasWrapped, type Schema } from "./schema-walk.ts";

/** One way in which a value breaks the schema; `of` says whether the key or the value at `path` is to blame. */
export interface ValueProblem {
  readonly path: Path;
  readonly of: "key" | "value" | "missing";
  readonly message: string;
  readonly hint?: string | undefined;
}

/** What a scalar looked like in the file, as `1.10` where the value is the number 1.1; undefined where it is not known. */
export type SourceText = (path: Path) => string | undefined;

/**
 * Every problem of `value` under `schema`, given the issues valibot found: its issues in the manifest's words, and all
 * unknown keys (valibot reports the first one of an object only) and lists where a mapping is expected.
 */
export function readIssues(
  schema: Schema,
  value: unknown,
  issues: readonly v.BaseIssue<unknown>[],
  source: SourceText,
): readonly ValueProblem[] {
  const shapes = shapeProblems(schema, value, []);
  const misshapen = new Set(shapes.filter(({ of }) => of === "value").map(({ path }) => pathKey(path)));
  const rest = issues.flatMap((issue) => {
    const path = issuePath(issue);
    const isBelow = path.some((_, index) => misshapen.has(pathKey(path.slice(0, index))));
    const isUnknownKey = issue.type === "strict_object" && issue.expected === "never";
    return isBelow || isUnknownKey || misshapen.has(pathKey(path)) ? [] : [readIssue(issue, path, source)];
  });
  return [...shapes, ...rest];
}

/** `value` as messages show it: `the number 1.1`, `"yes"`, `a list`, `empty`. */
function showValue(value: unknown): string {
  if (value === null || value === undefined) return "empty";
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : "a list";
  if (typeof value === "string") return JSON.stringify(value.length > 120 ? `${value.slice(0, 119)}…` : value);
  if (typeof value === "number" || typeof value === "boolean") return `the ${typeof value} ${String(value)}`;
  return "a mapping";
}

function shapeProblems(schema: Schema, value: unknown, path: Path): readonly ValueProblem[] {
  if (value === null || value === undefined) return [];
  if (hasWrapped(schema)) return shapeProblems(schema.wrapped, value, path);
  if (hasItem(schema) && Array.isArray(value)) {
    return value.flatMap((item, index) => shapeProblems(schema.item, item, [...path, index]));
  }
  const isMapping = hasEntries(schema) || hasValue(schema);
  if (!isMapping || typeof value !== "object") return [];
  if (Array.isArray(value)) {
    const what = path.length === 0 ? "the manifest" : formatPath(path);
    return [{ path, of: "value", message: `${what} is ${showValue(value)}, expected a mapping` }];
  }
  if (hasValue(schema)) {
    return Object.entries(value).flatMap(([key, item]) => shapeProblems(schema.value, item, [...path, key]));
  }
  if (!hasEntries(schema)) return [];
  const { entries } = schema;
  return Object.entries(value).flatMap(([key, item]) => {
    const at = [...path, key];
    const entry = Object.hasOwn(entries, key) ? entries[key] : undefined;
    if (entry) return shapeProblems(entry, item, at);
    const known = Object.keys(entries);
    const near = nearest(key, known);
    const hint = near === undefined ? `Remove it: known keys are ${known.join(", ")}` : `Write "${near}"`;
    return [{ path: at, of: "key" as const, message: `${formatPath(at)} is not a known key`, hint }];
  });
}

function readIssue(issue: v.BaseIssue<unknown>, path: Path, source: SourceText): ValueProblem {
  const name = path.length === 0 ? "the manifest" : formatPath(path);
  if (issue.type === "strict_object" && issue.received === "undefined" && issue.expected?.startsWith('"')) {
    return { path, of: "missing", message: `${name} is missing`, hint: `Add ${formatPath(path)}` };
  }
  const [first = "", hint] = issue.kind === "schema" ? [expected(issue)] : issue.message.split("\n");
  if (first.startsWith("=")) return { path, of: "value", message: `${name} ${first.slice(1)}`, hint };
  if (issue.type === "min_length") {
    return { path, of: "value", message: `${name} is empty, expected at least one entry`, hint: "Add an entry" };
  }
  const message = `${name} is ${showValue(issue.input)}, expected ${first}`;
  return { path, of: "value", message, hint: hint ?? typeHint(issue, source(path)) };
}

function expected(issue: v.BaseIssue<unknown>): string {
  switch (issue.type) {
    case "string":
      return "a string";
    case "boolean":
      return "true or false";
    case "array":
      return "a list";
    case "strict_object":
    case "record":
      return "a mapping";
    case "literal":
      return issue.expected ?? "another value";
    default:
      return `one of ${(issue.expected ?? "").replace(/[()"]/g, "").split(" | ").join(", ").replace("Array", "a list")}`;
  }
}

/** The next step for a value of the wrong type; `source` keeps what YAML's number lost, as the 0 of 1.10. */
function typeHint(issue: v.BaseIssue<unknown>, source: string | undefined): string | undefined {
  const { input } = issue;
  if (issue.type === "string" && (typeof input === "number" || typeof input === "boolean")) {
    return `Quote it: "${source ?? String(input)}"`;
  }
  if (issue.type === "string" && input === null) return "Write a value behind the colon";
  if (issue.type === "boolean") return "Write true or false";
  if (issue.type === "array" && input !== null && typeof input !== "object") {
    return `Write it as a list: [${source ?? String(input)}]`;
  }
  if (issue.type === "literal") return `Write ${issue.expected ?? ""}`;
  if (issue.type === "picklist" && typeof input === "string") {
    const near = nearest(input, (issue.expected ?? "").match(/[A-Za-z0-9-]+/g) ?? []);
    return near === undefined ? undefined : `Write "${near}"`;
  }
  return undefined;
}

function issuePath(issue: v.BaseIssue<unknown>): Path {
  return (issue.path ?? []).map(({ key }) => (typeof key === "number" ? key : String(key)));
}
