import { describe, expect, test } from "bun:test";
import { redacted, visible, visibleLine } from "../../../src/cli/output/visible.ts";

describe("visible() shows what a terminal would obey", () => {
  test.each([
    ["\u001b[2Jgone", "\\x1b[2Jgone"],
    ["a\rb", "a\\x0db"],
    ["\u009b31m", "\\x9b31m"],
    ["del\u007f", "del\\x7f"],
    ["\u202eexe.txt", "\\u202eexe.txt"],
    ["two\nlines\tand ü", "two\nlines\tand ü"],
  ])("%j", (text, shown) => {
    expect(visible(text)).toBe(shown);
  });

  test("but keeps the sequences of our own style where asked", () => {
    expect(visible("\u001b[1mbold\u001b[22m\u001b[5m", { keepStyle: true })).toBe("\u001b[1mbold\u001b[22m\\x1b[5m");
    expect(visible("\u001b[1mbold")).toBe("\\x1b[1mbold");
  });

  test("and visibleLine() keeps it on one line", () => {
    expect(visibleLine("a\nerror: forged")).toBe("a\\nerror: forged");
  });
});

describe("redacted()", () => {
  test.each([
    ["GET https://user:pass@host/v2/", "GET https://[redacted]@host/v2/"],
    ["http://token@host:5000", "http://[redacted]@host:5000"],
    ["https://u:p@ss@host/x", "https://[redacted]@host/x"],
    ["git+https://u:p@host and ssh://git@host/x", "git+https://[redacted]@host and ssh://[redacted]@host/x"],
    ["https://s3/b?X-Amz-Signature=abc&x=1", "https://s3/b?X-Amz-Signature=[redacted]&x=1"],
    ["https://h/t?token=abc", "https://h/t?token=[redacted]"],
  ])("hides the secret of %j", (text, shown) => {
    expect(redacted(text)).toBe(shown);
  });

  test.each([
    "docker://app@sha256:0123",
    "https://host/v2/app@sha256:0123",
    "https://host/?next=a@b",
    "mail me@example.org",
    "Cannot push registry.example.org/app:1.2",
  ])("leaves %j as it is", (text) => {
    expect(redacted(text)).toBe(text);
  });
});
