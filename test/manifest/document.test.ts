import { describe, expect, test } from "bun:test";
import { maxYamlBytes, readYaml } from "../../src/manifest/document.ts";
import { invalidInput } from "../support/invalid-input.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const bomb = `a: &a [x, x]\n${"bcdefghij".replace(/./g, (name) => {
  const before = String.fromCharCode(name.charCodeAt(0) - 1);
  return `${name}: &${name} [${Array(9).fill(`*${before}`).join(", ")}]\n`;
})}`;

describe("readYaml() refuses", () => {
  test.each<[name: string, source: string | Uint8Array, line: number | undefined, column: number | undefined]>([
    ["an alias bomb", bomb, 3, 8],
    ["101 aliases", `a: &a 1\nb: [${Array(101).fill("*a").join(", ")}]`, 2, 405],
    ["an anchor that holds itself in a list", "a: &a [1, *a]", 1, 7],
    ["an anchor that holds itself in a mapping", "a: &a\n  b: *a\n", 2, 3],
    ["an alias without an anchor", "a: *b", 1, 4],
    ["an alias before its anchor", "a: *b\nb: &b 1", 1, 4],
    ["a tag of JavaScript", "a: !!js/function 'x'", 1, 18],
    ["a tag of YAML 1.1", "a: !!binary aGk=", 1, 13],
    ["a timestamp tag", "a: !!timestamp 2026-01-01", 1, 16],
    ["a tag of its own", "a: !secret x", 1, 12],
    ["a duplicate key", "a: 1\nb: 2\na: 3\n", 3, 1],
    ["a duplicate key in flow style", "{a: 1, 'a': 2}", 1, 8],
    ["two documents", "a: 1\n---\nb: 2\n", 2, 1],
    ["a tab as indent", "a:\n\tb: 1\n", 2, 1],
    ["a tab within an indent", "a:\n  b: 1\n  \tc: 1\n", 3, 3],
    ["YAML 1.1 asked for", "%YAML 1.1\n---\na: yes\n", 1, 1],
    ["a quote without an end", "a: 'b\n", 2, 1],
    ["a key that is a list", "? [a]\n: b\n", 1, 3],
    ["a key without a name", ": b\n", 1, 1],
    ["__proto__ as a key", "a:\n  __proto__: {b: 1}\n", 2, 3],
    ["constructor as a key", "constructor: 1\n", 1, 1],
    ["invalid UTF-8", new Uint8Array([...bytes("a: 1\nb: é"), 0xff, 0x0a]), 2, 5],
    ["UTF-16", new Uint8Array([0xff, 0xfe, 0x61, 0]), 1, 1],
    ["1 MiB and one byte", "#".repeat(maxYamlBytes + 1), undefined, undefined],
    ["50 MB", new Uint8Array(50_000_000).fill(0x61), undefined, undefined],
    ["100,000 brackets", "[".repeat(100_000), 1, 66],
    ["1 MiB of brackets", "[".repeat(maxYamlBytes), 1, 66],
    ["10,000 lists in one line", "- ".repeat(10_000), 1, 131],
    ["70 indented mappings", Array.from({ length: 70 }, (_, at) => `${" ".repeat(at)}a:`).join("\n"), 66, 66],
    ["60,000 values", `a: [${"1,".repeat(60_000)}]`, 1, 100_001],
  ])("%s", async (_, source, line, column) => {
    const { code, problems } = await invalidInput(() => readYaml(source, "m.yaml"));
    expect(code).toBe("invalid-manifest-file");
    expect(problems[0]).toMatchObject({ file: "m.yaml", ...(line === undefined ? {} : { line, column }) });
  });
});

test("readYaml() takes a megabyte of keys in one mapping in time that grows with its size", async () => {
  const text = Array.from({ length: 49_000 }, (_, at) => `key${at}: ${at}\n`).join("");
  expect(Object.keys(readYaml(text, "m.yaml").value ?? {})).toHaveLength(49_000);
});

test("readYaml() reports at most 100 problems", async () => {
  const { problems } = await invalidInput(() => readYaml("a: 1\n".repeat(500), "m.yaml"));
  expect(problems).toHaveLength(100);
});

describe("readYaml() reads by the core schema of YAML 1.2", () => {
  test.each<[text: string, value: unknown]>([
    ["yes", "yes"],
    ["No", "No"],
    ["on", "on"],
    ["TRUE", true],
    ["2026-01-31", "2026-01-31"],
    ["2026-01-31T12:00:00Z", "2026-01-31T12:00:00Z"],
    ["1_000", "1_000"],
    ["010", 10],
    ["0o10", 8],
    ["1.10", 1.1],
    ["~", null],
    ["12:30:45", "12:30:45"],
    ["!!str 1.10", "1.10"],
    ["=", "="],
  ])("%s", (text, value) => {
    expect(readYaml(`a: ${text}\n`, "m.yaml").value).toEqual(Object.assign(Object.create(null), { a: value }));
  });
});

test("readYaml() gives objects without a prototype", () => {
  const { value } = readYaml("a: {b: 1}", "m.yaml");
  expect(Object.getPrototypeOf(value)).toBeNull();
});

test("readYaml() of an empty file is null", () => {
  expect(readYaml("# nothing\n", "m.yaml").value).toBeNull();
});

test("at() counts columns behind a byte order mark and CRLF as an editor does", () => {
  const document = readYaml(bytes("\ufeffa: 1\r\nb:\r\n  c: x\r\n"), "m.yaml");
  expect(document.at(["a"])).toEqual({ file: "m.yaml", line: 1, column: 4 });
  expect(document.at(["b", "c"])).toEqual({ file: "m.yaml", line: 3, column: 6 });
  expect(document.at(["b", "c"], "key")).toEqual({ file: "m.yaml", line: 3, column: 3 });
});
