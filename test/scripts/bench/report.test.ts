import { expect, test } from "bun:test";
import { median, summarize, table } from "../../../scripts/bench/report.ts";

function series(tool: string, wallMs: readonly number[]) {
  return { tool, samples: wallMs.map((wall) => ({ wallMs: wall, cpuMs: wall / 2, peakMiB: 10 })) };
}

test("median() takes the middle value, and the mean of two in the middle", () => {
  expect(median([9, 1, 5])).toBe(5);
  expect(median([4, 1, 2, 9])).toBe(3);
});

test("summarize() sets every tool against the fastest peer, not against the product or the floor", () => {
  const row = { name: "start", series: [series("library", [3]), series("empty", [1]), series("oras", [4, 6, 5])] };
  const { results } = summarize({ ...row, series: [...row.series, series("crane", [10])] });
  expect(results.map(({ tool, ratio }) => [tool, ratio])).toEqual([
    ["empty", 0.2],
    ["library", 0.6],
    ["oras", 1],
    ["crane", 2],
  ]);
});

test("table() names a refused row instead of showing figures for it", () => {
  const text = table([summarize({ name: "pull", series: [series("oras", [1])], refusal: "oras: another digest" })]);
  expect(text).toContain("| pull | refused |");
  expect(text).not.toContain("oras");
});
