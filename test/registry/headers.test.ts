import { describe, expect, test } from "bun:test";
import { nextPage, parseLinks } from "../../src/registry/link.ts";
import { printable, printableUrl } from "../../src/registry/printable.ts";
import { parseContentRange, parseUploadRange } from "../../src/registry/range.ts";
import { parseRetryAfter } from "../../src/registry/retry.ts";
import { mergeScopes } from "../../src/registry/scope.ts";
import { parseWarnings } from "../../src/registry/warning-header.ts";

describe("parseLinks()", () => {
  test("reads targets and relations of several links", () => {
    expect(parseLinks('</v2/a?n=1&last=x>; rel="next", <b>; title="a, b"; rel=prev')).toEqual([
      { target: "/v2/a?n=1&last=x", relations: ["next"] },
      { target: "b", relations: ["prev"] },
    ]);
  });

  test.each([null, "", "no link", "<unclosed", "<".repeat(100_000)])("gives nothing for %.20p", (header) => {
    expect(parseLinks(header)).toEqual([]);
  });
});

describe("nextPage()", () => {
  const base = new URL("https://r.example/v2/a/tags/list?n=2");
  const next = (link: string) => nextPage(new Headers({ link: `<${link}>; rel="next"` }), base, "list")?.href;

  test.each([
    ["/v2/a/tags/list?n=2&last=b", "https://r.example/v2/a/tags/list?n=2&last=b"],
    ["?n=2&last=b#fragment", "https://r.example/v2/a/tags/list?n=2&last=b"],
    ["https://r.example/x", "https://r.example/x"],
  ])("resolves %p", (link, expected) => expect(next(link)).toBe(expected));

  test.each([
    "https://evil.example/v2/",
    "http://r.example/v2/",
    "//evil.example/",
    "https://u:p@r.example/x",
    "javascript:alert(1)",
    "file:///etc/passwd",
  ])("refuses %p as insecure", (link) => {
    expect(() => next(link)).toThrow(expect.objectContaining({ code: "insecure-refused" }));
  });
});

describe("parseUploadRange()", () => {
  test.each([
    ["0-9", 9],
    ["bytes=0-9", 9],
    ["0-0", 0],
    ["1-9", undefined],
    ["0-99999999999999999", undefined],
    ["0--1", undefined],
    ["bytes 0-9/10", undefined],
    [null, undefined],
  ])("%p is %p", (header, last) => expect(parseUploadRange(header)).toBe(last));
});

describe("parseContentRange()", () => {
  test.each([
    ["bytes 5-9/10", { first: 5, last: 9, total: 10 }],
    ["bytes 5-9/*", { first: 5, last: 9, total: undefined }],
    ["bytes 9-5/10", undefined],
    ["bytes 5-10/10", undefined],
    ["bytes */10", undefined],
    [null, undefined],
  ])("%p is %p", (header, range) => expect(parseContentRange(header)).toEqual(range));
});

describe("parseRetryAfter()", () => {
  const now = new Date("2026-01-31T12:00:00Z");
  test.each([
    ["3", 3000],
    ["Sat, 31 Jan 2026 12:00:10 GMT", 10_000],
    ["Sat, 31 Jan 2026 11:00:00 GMT", 0],
    ["-1", undefined],
    ["soon", undefined],
    ["1e9", undefined],
    [null, undefined],
  ])("%p is %p ms", (header, milliseconds) => expect(parseRetryAfter(header, now)).toBe(milliseconds));
});

describe("parseWarnings()", () => {
  test("gives the texts of code 299, each once, without terminal sequences", () => {
    const header = '299 - "this \\"repository\\" moves\u001b[31m", 199 - "other", 299 - "b", 299 - "b"';
    expect(parseWarnings(header)).toEqual(['this "repository" moves', "b"]);
  });
});

describe("printable()", () => {
  test("takes out control characters, terminal sequences and marks of direction, and cuts", () => {
    expect(printable("a\u001b]8;;http://x\u0007b\r\nc\u202ed\u0000e\u009bf", 100)).toBe("ab cdef");
    expect(printable("x".repeat(2000), 10)).toBe(`${"x".repeat(10)}…`);
  });

  test("takes the query off URLs, which may be signed", () => {
    expect(printable("see https://s3.example/b?X-Amz-Signature=secret now", 100)).toBe(
      "see https://s3.example/b?… now",
    );
    expect(printableUrl(new URL("https://u:p@h.example/a?b=c#d"))).toBe("https://h.example/a");
  });
});

describe("mergeScopes()", () => {
  test("joins the actions of one resource, whose name may have a port, and keeps the rest", () => {
    const scopes = ["repository:h:5000/a:pull", "registry:catalog:*", "repository:h:5000/a:push,pull", "odd"];
    expect(mergeScopes(scopes)).toEqual(["odd", "registry:catalog:*", "repository:h:5000/a:pull,push"]);
  });
});
