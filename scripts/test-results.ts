/** How many tests, or checks, ended in which way. */
export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/**
 * Counts what one `bun test` did, from its exit status and its JUnit report (undefined: none was written). A file that
 * cannot be loaded is not in the report, and only the status tells: so a status other than 0 is at least one failure.
 */
export function countTests(status: number, report: string | undefined): Counts {
  const head = report?.match(/<testsuites\b[^>]*>/)?.[0] ?? "";
  const tests = attribute(head, "tests");
  const failures = attribute(head, "failures");
  const skipped = attribute(head, "skipped");
  const failed = Math.max(failures, status === 0 ? 0 : 1);
  return { passed: tests - failures - skipped, failed, skipped };
}

/** What all of `counts` are together. */
export function sum(counts: Iterable<Counts>): Counts {
  let total: Counts = { passed: 0, failed: 0, skipped: 0 };
  for (const { passed, failed, skipped } of counts) {
    total = { passed: total.passed + passed, failed: total.failed + failed, skipped: total.skipped + skipped };
  }
  return total;
}

/** The closing line: `12 passed, 0 failed`, and how many were skipped where some were. */
export function closingLine({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`;
}

/** The different reasons of skips in what tests printed, in their order: lines that begin with `skip: `. */
export function skipReasons(output: string): readonly string[] {
  const lines = output.split("\n").filter((line) => line.startsWith("skip: "));
  return [...new Set(lines)];
}

function attribute(element: string, name: string): number {
  return Number(element.match(new RegExp(`\\b${name}="(\\d+)"`))?.[1] ?? 0);
}
