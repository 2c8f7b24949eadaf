import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { isLibraryError } from "../../src/core/error.ts";
import { parseJson } from "../../src/core/json.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const codeOf = (body: () => unknown): string | undefined => {
  try {
    body();
  } catch (error) {
    if (isLibraryError(error)) return error.code;
    throw error;
  }
  return undefined;
};

describe("parseJson()", () => {
  test("gives what JSON.parse gives for every JSON value", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5, noUnicodeString: false }), (value) => {
        const text = JSON.stringify(value);
        fc.pre(text.isWellFormed());
        expect(JSON.stringify(parseJson(bytes(text), "x"))).toBe(JSON.stringify(JSON.parse(text)));
      }),
    );
  });

  test.each([
    ["a duplicate name", '{"a":1,"a":2}'],
    ["a duplicate name behind an escape", '{"a":1,"\\u0061":2}'],
    ["a byte order mark", "\ufeff{}"],
    ["a lone surrogate", '"\\ud800"'],
    ["NaN", "[NaN]"],
    ["a comment", "{} // no"],
    ["a second value", "{}{}"],
    ["a trailing comma", "[1,]"],
    ["a leading zero", "01"],
    ["a number beyond a double", "1e400"],
    ["a raw control character in a string", '"\u0001"'],
    ["a string without an end", '"abc'],
    ["nothing", ""],
    ["an unknown escape", '"\\x41"'],
    ["nesting of 100,000 arrays", "[".repeat(100_000)],
  ])("refuses %s", (_, text) => {
    expect(codeOf(() => parseJson(bytes(text), "x"))).toBe("malformed-json");
  });

  test("refuses bytes that are not UTF-8", () => {
    expect(codeOf(() => parseJson(new Uint8Array([0x22, 0xff, 0x22]), "x"))).toBe("malformed-json");
  });

  test("refuses more bytes than its limit before it reads them", () => {
    expect(codeOf(() => parseJson(bytes('"12345678"'), "x", { maxBytes: 9 }))).toBe("limit-exceeded");
    expect(parseJson(bytes('"12345678"'), "x", { maxBytes: 10 })).toBe("12345678");
  });

  test("keeps __proto__ as a plain name", () => {
    const value = parseJson(bytes('{"__proto__":{"polluted":true}}'), "x");
    expect(Object.keys(value as object)).toEqual(["__proto__"]);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });
});
