import { LibraryError } from "./error.ts";

/** A parsed JSON value. Objects have no prototype, so that any key is only a key. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;
/** An object of JSON; its keys are own properties and nothing is inherited. */
export interface JsonObject {
  readonly [key: string]: JsonValue;
}

/** Bounds of a parse. */
export interface JsonLimits {
  /** Bytes; default 4 MiB, distribution-spec v1.1.1 "Pushing Manifests". */
  readonly maxBytes?: number;
  /** Nesting of arrays and objects; default 64. */
  readonly maxDepth?: number;
}

/** The largest manifest, index or other metadata document that is read: 4 MiB. */
export const maxDocumentBytes = 4 * 1024 * 1024;

/**
 * The value of a JSON document, parsed as I-JSON (RFC 7493): UTF-8 without a byte order mark, no duplicate names, no
 * lone surrogates, no number beyond the range of a double, nothing behind the value.
 * Throws `malformed-json` with the byte position, or `limit-exceeded`; `name` is what the message calls the document.
 */
export function parseJson(bytes: Uint8Array, name: string, limits: JsonLimits = {}): JsonValue {
  const maxBytes = limits.maxBytes ?? maxDocumentBytes;
  if (bytes.byteLength > maxBytes) {
    throw new LibraryError(
      "limit-exceeded",
      `Cannot read ${name}: ${bytes.byteLength} bytes, expected at most ${maxBytes}`,
    );
  }
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new LibraryError("malformed-json", `Cannot read ${name}: not valid UTF-8`, { cause });
  }
  return new Parser(text, name, limits.maxDepth ?? 64).document();
}

/** The bytes of `value` as JSON: keys in their given order, no white space, absent for undefined. */
export function writeJson(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

/** Whether `value` is a JSON object (neither null nor an array). */
export function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const numberPattern = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
// Everything a string may hold unescaped: RFC 8259, section 7.
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what the grammar excludes
const plainPattern = /[^"\\\u0000-\u001f]*/y;
const escapes: Readonly<Record<string, string>> = {
  '"': '"',
  "\\": "\\",
  "/": "/",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
};

class Parser {
  readonly #text: string;
  readonly #name: string;
  readonly #maxDepth: number;
  #at = 0;

  constructor(text: string, name: string, maxDepth: number) {
    this.#text = text;
    this.#name = name;
    this.#maxDepth = maxDepth;
  }

  document(): JsonValue {
    const value = this.#value(0);
    this.#space();
    if (this.#at < this.#text.length) this.#fail("unexpected text behind the value");
    return value;
  }

  #value(depth: number): JsonValue {
    this.#space();
    const first = this.#text[this.#at];
    if (first === "{") return this.#object(depth + 1);
    if (first === "[") return this.#array(depth + 1);
    if (first === '"') return this.#string();
    if (first === "t") return this.#word("true", true);
    if (first === "f") return this.#word("false", false);
    if (first === "n") return this.#word("null", null);
    return this.#number();
  }

  #object(depth: number): JsonObject {
    this.#checkDepth(depth);
    const object: Record<string, JsonValue> = Object.create(null);
    this.#at++;
    this.#space();
    if (this.#take("}")) return object;
    for (;;) {
      this.#space();
      if (this.#text[this.#at] !== '"') this.#fail("expected a name in quotes");
      const at = this.#at;
      const key = this.#string();
      if (Object.hasOwn(object, key)) {
        this.#at = at;
        this.#fail(`duplicate name ${JSON.stringify(key.slice(0, 100))}`);
      }
      this.#space();
      if (!this.#take(":")) this.#fail("expected ':'");
      object[key] = this.#value(depth);
      this.#space();
      if (this.#take(",")) continue;
      if (this.#take("}")) return object;
      this.#fail("expected ',' or '}'");
    }
  }

  #array(depth: number): JsonValue[] {
    this.#checkDepth(depth);
    const array: JsonValue[] = [];
    this.#at++;
    this.#space();
    if (this.#take("]")) return array;
    for (;;) {
      array.push(this.#value(depth));
      this.#space();
      if (this.#take(",")) continue;
      if (this.#take("]")) return array;
      this.#fail("expected ',' or ']'");
    }
  }

  #string(): string {
    this.#at++;
    let result = "";
    for (;;) {
      result += this.#match(plainPattern) ?? "";
      const next = this.#text[this.#at];
      if (next === '"') {
        this.#at++;
        if (!result.isWellFormed()) this.#fail("a lone surrogate in a string");
        return result;
      }
      if (next !== "\\") this.#fail(next === undefined ? "a string without an end" : "a control character in a string");
      result += this.#escape();
    }
  }

  #escape(): string {
    const letter = this.#text[this.#at + 1] ?? "";
    if (letter === "u") {
      const hex = this.#text.slice(this.#at + 2, this.#at + 6);
      if (!/^[0-9a-fA-F]{4}$/.test(hex)) this.#fail("a malformed \\u escape");
      this.#at += 6;
      return String.fromCharCode(Number.parseInt(hex, 16));
    }
    const plain = Object.hasOwn(escapes, letter) ? escapes[letter] : undefined;
    if (plain === undefined) this.#fail("an unknown escape");
    this.#at += 2;
    return plain;
  }

  #number(): number {
    const text = this.#match(numberPattern);
    if (!text) this.#fail(this.#at >= this.#text.length ? "unexpected end" : "unexpected character");
    const value = Number(text);
    if (!Number.isFinite(value)) this.#fail("a number beyond the range of a double");
    return value;
  }

  #word<T>(word: string, value: T): T {
    if (!this.#text.startsWith(word, this.#at)) this.#fail("unexpected character");
    this.#at += word.length;
    return value;
  }

  #checkDepth(depth: number): void {
    if (depth > this.#maxDepth) this.#fail(`nested deeper than ${this.#maxDepth} levels`);
  }

  #space(): void {
    while (isSpace(this.#text.charCodeAt(this.#at))) this.#at++;
  }

  #take(character: string): boolean {
    if (this.#text[this.#at] !== character) return false;
    this.#at++;
    return true;
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    if (!pattern.test(this.#text)) return undefined;
    const from = this.#at;
    this.#at = pattern.lastIndex;
    return this.#text.slice(from, this.#at);
  }

  #fail(problem: string): never {
    throw new LibraryError("malformed-json", `Cannot read ${this.#name}: ${problem} at character ${this.#at}`);
  }
}

/** Blank, tab, line feed or carriage return: RFC 8259, section 2. */
function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x09 || code === 0x0a || code === 0x0d;
}
