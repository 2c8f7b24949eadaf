import { describe, expect, test } from "bun:test";
import { parseChallenges } from "../../src/registry/challenge.ts";

const read = (header: string) =>
  parseChallenges(header).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)] as const);

describe("parseChallenges()", () => {
  test.each([
    ['Bearer realm="https://a/token",service="s",scope="repository:a:pull,push"', "a quoted list in a parameter"],
    ['bearer  REALM = "https://a/token" , Service=s ,scope="repository:a:pull,push"', "other case and white space"],
  ])("reads %s: %p", (header) => {
    const parameters = { realm: "https://a/token", service: "s", scope: "repository:a:pull,push" };
    expect(read(header)).toEqual([["bearer", parameters]]);
  });

  test("reads all challenges, also of several header lines", () => {
    expect(read('Basic realm="x", Negotiate, NTLM abc+/==, Bearer realm="https://a", error="b"')).toEqual([
      ["basic", { realm: "x" }],
      ["negotiate", {}],
      ["ntlm", {}],
      ["bearer", { realm: "https://a", error: "b" }],
    ]);
  });

  test("undoes escapes in quoted strings, and lets the first of equal names count", () => {
    expect(read('Basic realm="a\\"b\\\\c, d", realm=z')).toEqual([["basic", { realm: 'a"b\\c, d' }]]);
  });

  test.each(["", ",,,", '="x"', '"Bearer"', "Bearer=x"])("gives nothing for %j", (header) =>
    expect(read(header)).toEqual([]),
  );

  test.each([
    'Bearer realm="https://a", service="unbalanced',
    'Bearer realm="https://a" service="no comma"',
    'Bearer realm="https://a", x="line\r\nInjected: y"',
  ])("keeps what came before the broken part of %j", (header) => {
    expect(read(header)).toEqual([["bearer", { realm: "https://a" }]]);
  });

  test("is quick and bounded with a megabyte of parameters, quotes or backslashes", () => {
    const started = performance.now();
    for (const piece of ['a="b",', '"', "\\", "Basic ", "x=,", 'Bearer realm="']) {
      expect(read(`Bearer ${piece.repeat(1_000_000 / piece.length)}`).length).toBeLessThanOrEqual(16);
    }
    expect(performance.now() - started).toBeLessThan(2000);
  });
});
