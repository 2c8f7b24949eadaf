import { expect, test } from "bun:test";
import { closingLine, countTests, skipReasons, sum } from "../../scripts/test-results.ts";

function report(tests: number, failures: number, skipped: number): string {
  const head = `<testsuites name="bun test" tests="${tests}" assertions="7" failures="${failures}" skipped="${skipped}" time="0.1">`;
  return `<?xml version="1.0" encoding="UTF-8"?>\n${head}\n  <testsuite name="a" tests="99" failures="99" skipped="99" />\n</testsuites>`;
}

test("countTests() takes the sums of the whole report", () => {
  expect(countTests(1, report(10, 2, 3))).toEqual({ passed: 5, failed: 2, skipped: 3 });
});

test("countTests() counts a failure when a file cannot be loaded, which the report does not tell", () => {
  expect(countTests(1, report(4, 0, 0))).toEqual({ passed: 4, failed: 1, skipped: 0 });
});

test("countTests() counts a failure when the run wrote no report", () => {
  expect(countTests(139, undefined)).toEqual({ passed: 0, failed: 1, skipped: 0 });
});

test("sum() and closingLine() name skips only where there are some", () => {
  const none = sum([
    { passed: 2, failed: 0, skipped: 0 },
    { passed: 3, failed: 1, skipped: 0 },
  ]);
  expect(closingLine(none)).toBe("5 passed, 1 failed");
  expect(closingLine(sum([none, { passed: 0, failed: 0, skipped: 4 }]))).toBe("5 passed, 1 failed, 4 skipped");
});

test("skipReasons() finds each reason once", () => {
  expect(skipReasons("a\nskip: x: no crane\nb skip: no\nskip: y: no oras\nskip: x: no crane\n")).toEqual([
    "skip: x: no crane",
    "skip: y: no oras",
  ]);
});
