import { Document, isCollection, isScalar, isSeq, parseDocument, type Scalar } from "yaml";
import { InvalidInputError } from "../core/error.ts";
import { assign } from "./assign.ts";
import { readYaml } from "./document.ts";
import { formatPath, type Path } from "./path.ts";

/** One change: the value at `path` becomes `value`; undefined removes the key or entry. */
export interface Edit {
  readonly path: Path;
  readonly value: unknown;
}

/**
 * The text with all edits made: comments, the order of keys and the style of quotes stay, and where only scalars on
 * one line change, every other byte stays too. Mappings are made on the way; an index one past the end of a list adds
 * to it. Throws `invalid-manifest-file` where `text` is no YAML that is read, and `invalid-input` where an edit does
 * not fit, or would also change what shares its value by an alias.
 */
export function editYaml(text: string, edits: readonly Edit[], file: string): string {
  return edits.reduce((before, edit) => applyEdit(before, edit, file), text);
}

function applyEdit(text: string, edit: Edit, file: string): string {
  const before = readYaml(text, file).value;
  const wanted = assign(before, edit.path, edit.value);
  const document = parseDocument(text, { uniqueKeys: false });
  const node = document.getIn(edit.path, true);
  const spliced = isScalar(node) && isScalarValue(edit.value) ? spliceScalar(text, node, edit.value) : undefined;
  for (const candidate of [() => spliced, () => rewritten(text, document, edit)]) {
    const after = candidate();
    if (after !== undefined && isSame(writtenValue(after, file), wanted)) return after;
  }
  throw refuse(edit, "the value is shared by an anchor or in a style that cannot be kept");
}

type ScalarValue = string | number | boolean | null;

/** The text with the one scalar replaced in its own style; undefined for block scalars and several lines. */
function spliceScalar(text: string, node: Scalar, value: ScalarValue): string | undefined {
  const [start, end] = node.range ?? [];
  if (start === undefined || end === undefined || start === end) return undefined;
  if (text.slice(start, end).includes("\n") || (typeof value === "string" && value.includes("\n"))) return undefined;
  // Written inside brackets, so that it holds in flow and block collections alike
  const written = new Document([value]);
  if (!isSeq(written.contents)) throw new TypeError("a list did not become one");
  written.contents.flow = true;
  const [scalar] = written.contents.items;
  if (isScalar(scalar) && typeof value === "string" && isQuoted(node.type)) scalar.type = node.type;
  const line = written.toString({ lineWidth: 0, flowCollectionPadding: false }).trimEnd();
  return `${text.slice(0, start)}${line.slice(1, -1)}${text.slice(end)}`;
}

function rewritten(text: string, document: Document, { path, value }: Edit): string {
  if (value === undefined) document.deleteIn(path);
  else {
    const before = document.getIn(path, true);
    const node = document.createNode(value);
    if (isCollection(before) && isCollection(node)) {
      node.flow = before.flow ?? false;
      node.commentBefore = before.commentBefore ?? null;
      node.comment = before.comment ?? null;
    }
    if (isScalar(before) && isScalar(node)) {
      node.comment = before.comment ?? null;
      node.commentBefore = before.commentBefore ?? null;
      if (typeof value === "string" && isQuoted(before.type)) node.type = before.type;
    }
    document.setIn(path, node);
  }
  return document.toString({
    lineWidth: 0,
    flowCollectionPadding: /(?:^|[:-] )[[{] \S/m.test(text),
    // What loses its anchor is found by reading the result
    verifyAliasOrder: false,
    // Lists that stand as far left as their key stay there
    indentSeq: !/^( *)[^\s#-][^\n]*:[ \t]*(?:#[^\n]*)?\n\1- /m.test(text),
  });
}

/** The value of a text that was just written; undefined where an alias lost its anchor. */
function writtenValue(text: string, file: string): unknown {
  try {
    return readYaml(text, file).value;
  } catch (error) {
    if (error instanceof InvalidInputError) return undefined;
    throw error;
  }
}

function isSame(a: unknown, b: unknown): boolean {
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return Object.is(a, b);
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const entries = Object.entries(a);
  const others = new Map<string, unknown>(Object.entries(b));
  return (
    entries.length === others.size && entries.every(([key, value]) => others.has(key) && isSame(value, others.get(key)))
  );
}

function isScalarValue(value: unknown): value is ScalarValue {
  return value === null || ["string", "number", "boolean"].includes(typeof value);
}

function isQuoted(type: string | undefined): type is "QUOTE_DOUBLE" | "QUOTE_SINGLE" {
  return type === "QUOTE_DOUBLE" || type === "QUOTE_SINGLE";
}

function refuse({ path }: Edit, problem: string): InvalidInputError {
  return new InvalidInputError(`Cannot set ${formatPath(path)}: ${problem}`, { hint: "Edit the file by hand" });
}
