import {
  type Alias,
  Composer,
  type CST,
  type Document,
  isAlias,
  isMap,
  isPair,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  type Node,
  Parser,
  type YAMLMap,
  type YAMLSeq,
} from "yaml";
import { InvalidInputError, type Place, type Problem } from "../core/error.ts";
import { formatPath, type Path, pathKey } from "./path.ts";

/** The largest file that is read as YAML: 1 MiB. */
export const maxYamlBytes = 1024 * 1024;

/** A YAML document as plain values, and where each of them stands. */
export interface YamlDocument {
  readonly text: string;
  readonly file: string;
  /** Objects without a prototype, lists, strings, numbers, booleans, null. */
  readonly value: unknown;
  /** Where the value at `path` begins, or its key; of a path that is absent, the nearest mapping around it. */
  at(path: Path, of?: "key" | "value"): Place;
  /** Whether the document itself says something at `path`. */
  has(path: Path): boolean;
  /** The scalar at `path` as it is written, without quotes. */
  source(path: Path): string | undefined;
}

/**
 * Reads one document of YAML 1.2 (core schema). Throws `invalid-manifest-file` with every problem and its place: more
 * than 1 MiB, invalid UTF-8, syntax, tabs, several documents, `%YAML` of another version, tags, duplicate keys,
 * anchors that hold themselves, more than 100 aliases, 50,000 values or 64 levels.
 */
export function readYaml(source: string | Uint8Array, file: string): YamlDocument {
  const size = typeof source === "string" ? Buffer.byteLength(source) : source.byteLength;
  if (size > maxYamlBytes) fail(file, [{ message: `the file has ${size} bytes, expected at most ${maxYamlBytes}` }]);
  const text = typeof source === "string" ? source : decode(source, file);
  const lines = new LineCounter();
  const document = compose(text, lines, file);
  const walker = new Walker(document, file, lines);
  const value = document.contents === null ? null : walker.read(document.contents, [], 0, undefined);
  if (walker.problems.length > 0) fail(file, walker.problems);
  const { places } = walker;
  return {
    text,
    file,
    value,
    has: (path) => places.has(pathKey(path)),
    source: (path) => places.get(pathKey(path))?.source,
    at: (path, of = "value") => {
      for (let length = path.length; length > 0; length--) {
        const place = places.get(pathKey(path.slice(0, length)));
        // Of what is absent, the key of what should hold it says more than the first line of its content
        if (place) return place[length < path.length ? "key" : of];
      }
      return { file, line: 1, column: 1 };
    },
  };
}

const maxProblems = 100;
const maxDepth = 64;
const maxValues = 50_000;
const maxAliases = 100;
/** Keys that would reach an object's prototype in a careless reader. */
const unusableKeys: ReadonlySet<string> = new Set(["__proto__", "constructor", "prototype"]);
const coreTags: ReadonlySet<string> = new Set(
  ["str", "int", "float", "bool", "null", "map", "seq"].map((name) => `tag:yaml.org,2002:${name}`),
);

/** Fails with all problems; the message shows the first one, with its place, where it is the only one. */
export function fail(file: string, found: readonly Problem[], verb = "read"): never {
  const problems = found.slice(0, maxProblems).map((problem) => ({ ...problem, file }));
  const [first] = problems;
  const only = found.length === 1 ? first : undefined;
  const place = only?.line === undefined ? file : `${file}:${only.line}:${only.column ?? 1}`;
  const message = only
    ? `Cannot ${verb} ${place}: ${only.message}`
    : `Cannot ${verb} ${file}: ${found.length} problems`;
  throw new InvalidInputError(message, { code: "invalid-manifest-file", problems, hint: only?.hint });
}

function compose(text: string, lines: LineCounter, file: string): Document.Parsed {
  refuseDeepBrackets(text, file);
  const tokens = [...new Parser(lines.addNewLine).parse(text)];
  const deep = tokens.map(deepOffset).find((offset) => offset !== undefined);
  // Checked before the composer, which recurses
  if (deep !== undefined) fail(file, [{ message: `nested deeper than ${maxDepth} levels`, ...position(lines, deep) }]);
  const composer = new Composer({
    prettyErrors: false,
    uniqueKeys: false,
    resolveKnownTags: false,
    lineCounter: lines,
  });
  const [document, second] = [...composer.compose(tokens, true, text.length)];
  if (!document) throw new TypeError("a forced document is missing");
  const problems: Problem[] = document.errors.map(({ message, pos, code }) => ({
    message: `not valid YAML: ${message}`,
    hint: code === "TAB_AS_INDENT" ? "Indent with spaces" : undefined,
    ...position(lines, pos[0]),
  }));
  if (second) {
    problems.push({
      message: "a second document begins, expected one",
      hint: 'Remove the line "---" and what follows it',
      ...position(lines, second.range[0]),
    });
  }
  const { version, explicit } = document.directives.yaml;
  if (explicit && version !== "1.2") {
    const hint = "Remove the %YAML line";
    problems.push({ message: `%YAML ${version} is asked for, expected YAML 1.2`, hint, line: 1, column: 1 });
  }
  if (problems.length > 0) fail(file, problems);
  return document;
}

/** Before the parser, whose work grows with the square of the depth: a megabyte of brackets would take it seconds. */
function refuseDeepBrackets(text: string, file: string): void {
  let depth = 0;
  let offset = 0;
  for (const lexeme of new Lexer().lex(text)) {
    if (lexeme === "[" || lexeme === "{") depth++;
    else if (lexeme === "]" || lexeme === "}") depth--;
    if (depth > maxDepth + 1) {
      const before = text.slice(0, offset).split("\n");
      const place = { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
      fail(file, [{ message: `nested deeper than ${maxDepth} levels`, ...place }]);
    }
    if (!controlLexemes.has(lexeme)) offset += lexeme.length;
  }
}

/** What the lexer puts between the pieces of the text: BOM aside, they stand for no character of it. */
const controlLexemes: ReadonlySet<string> = new Set(["\u0002", "\u0018", "\u001f"]);

interface ValuePlace {
  readonly key: Place;
  readonly value: Place;
  readonly source: string | undefined;
}

/** Turns nodes into plain values and keeps their places; every bound is a problem with its place. */
class Walker {
  readonly problems: Problem[] = [];
  readonly places = new Map<string, ValuePlace>();
  readonly #document: Document.Parsed;
  readonly #file: string;
  readonly #lines: LineCounter;
  #values = 0;
  #aliases = 0;
  readonly #open = new Set<Node>();

  constructor(document: Document.Parsed, file: string, lines: LineCounter) {
    this.#document = document;
    this.#file = file;
    this.#lines = lines;
  }

  read(node: unknown, path: Path, depth: number, key: Node | undefined): unknown {
    if (node === null || node === undefined) {
      const place = this.#place(key);
      this.places.set(pathKey(path), { key: place, value: place, source: undefined });
      return null;
    }
    if (!isNode(node)) throw new TypeError("the document holds something that is no node");
    this.places.set(pathKey(path), {
      key: this.#place(key ?? node),
      value: this.#place(node),
      source: isScalar(node) ? node.source : undefined,
    });
    if (++this.#values > maxValues) return this.#once(node, path, `more than ${maxValues} values`);
    if (depth > maxDepth) return this.#once(node, path, `nested deeper than ${maxDepth} levels`);
    if (isAlias(node)) return this.#alias(node, path, depth);
    if (node.tag !== undefined && !coreTags.has(node.tag)) {
      return this.#problem(node, path, `tag ${JSON.stringify(node.tag.slice(0, 80))} is not allowed`, "Remove the tag");
    }
    if (isScalar(node)) return node.value;
    if (this.#open.has(node)) return this.#problem(node, path, "the value holds itself by an alias", "Write it out");
    this.#open.add(node);
    const value = isMap(node) ? this.#map(node, path, depth) : isSeq(node) ? this.#list(node, path, depth) : null;
    this.#open.delete(node);
    return value;
  }

  #map(node: YAMLMap, path: Path, depth: number): unknown {
    const value: Record<string, unknown> = Object.create(null);
    for (const pair of node.items) {
      const key: unknown = isPair(pair) ? pair.key : undefined;
      if (!isScalar(key) || key.value === null) {
        this.#problem(isNode(key) ? key : node, path, "a key is no text", "Write the key as plain text");
        continue;
      }
      const name = typeof key.value === "string" ? key.value : (key.source ?? String(key.value));
      const at = [...path, name];
      if (Object.hasOwn(value, name)) {
        const first = this.places.get(pathKey(at))?.key.line;
        this.#problem(key, at, `${formatPath(at)} is given twice, first on line ${first ?? "?"}`, "Remove one of them");
        continue;
      }
      if (unusableKeys.has(name)) {
        this.#problem(key, at, `${JSON.stringify(name)} cannot be a key`, "Use another name");
        continue;
      }
      value[name] = this.read(pair.value, at, depth + 1, key);
    }
    return value;
  }

  #list(node: YAMLSeq, path: Path, depth: number): unknown {
    return node.items.map((item, index) => this.read(item, [...path, index], depth + 1, undefined));
  }

  #alias(node: Alias, path: Path, depth: number): unknown {
    if (++this.#aliases > maxAliases) return this.#once(node, path, `more than ${maxAliases} aliases`);
    const target = node.resolve(this.#document);
    if (target === undefined) {
      return this.#problem(
        node,
        path,
        `alias "${node.source.slice(0, 80)}" has no anchor before it`,
        "Write the value out",
      );
    }
    const value = this.read(target, path, depth + 1, undefined);
    this.places.set(pathKey(path), { key: this.#place(node), value: this.#place(node), source: undefined });
    return value;
  }

  #once(node: Node, path: Path, message: string): undefined {
    if (!this.problems.some((problem) => problem.message === message)) this.#problem(node, path, message, "Write less");
  }

  #problem(node: Node, path: Path, message: string, hint: string): undefined {
    this.problems.push({ message, hint, path: formatPath(path), ...this.#place(node) });
  }

  #place(node: Node | undefined): Place {
    const offset = node?.range?.[0];
    return { file: this.#file, ...(offset === undefined ? {} : position(this.#lines, offset)) };
  }
}

function isNode(value: unknown): value is Node {
  return isScalar(value) || isMap(value) || isSeq(value) || isAlias(value);
}

function position(lines: LineCounter, offset: number): { readonly line: number; readonly column: number } {
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(1, line), column: Math.max(1, col) };
}

/** Where the token is nested too deep; walks without recursion. */
function deepOffset(root: CST.Token): number | undefined {
  const rest: { readonly token: CST.Token; readonly depth: number }[] = [{ token: root, depth: 0 }];
  for (let next = rest.pop(); next !== undefined; next = rest.pop()) {
    const { token, depth } = next;
    if (depth > maxDepth + 1) return "offset" in token ? token.offset : 0;
    if (token.type === "document" && token.value) rest.push({ token: token.value, depth: depth + 1 });
    if (!("items" in token)) continue;
    for (const item of token.items) {
      if (item.key) rest.push({ token: item.key, depth: depth + 1 });
      if (item.value) rest.push({ token: item.value, depth: depth + 1 });
    }
  }
  return undefined;
}

/** The text of UTF-8 bytes, a byte order mark left out; fails with the place of the first byte that is none. */
function decode(bytes: Uint8Array, file: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    const place = invalidPlace(bytes);
    return fail(file, [{ message: "the file is not valid UTF-8", hint: "Save it as UTF-8", ...place }]);
  }
}

function invalidPlace(bytes: Uint8Array): { readonly line: number; readonly column: number } | undefined {
  let start = 0;
  for (let line = 1; start <= bytes.byteLength; line++) {
    const newline = bytes.indexOf(0x0a, start);
    const end = newline < 0 ? bytes.byteLength : newline;
    const decoder = new TextDecoder("utf-8", { fatal: true });
    let column = 1;
    try {
      for (let at = start; at < end; at++)
        column += decoder.decode(bytes.subarray(at, at + 1), { stream: true }).length;
      decoder.decode();
    } catch {
      return { line, column };
    }
    if (newline < 0) return undefined;
    start = end + 1;
  }
  return undefined;
}
