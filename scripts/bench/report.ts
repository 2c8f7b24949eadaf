import type { Row, Series } from "./compare.ts";
import type { Sample } from "./measure.ts";
import { subject } from "./tools.ts";

/** The medians of one tool in one row. */
export interface Result {
  readonly tool: string;
  readonly wallMs: number;
  /** The shortest wall time: what noise on the machine adds to least. */
  readonly bestMs: number;
  readonly cpuMs: number;
  readonly peakMiB: number | undefined;
  /** Its median wall time over that of the fastest peer. */
  readonly ratio: number;
  readonly samples: readonly Sample[];
}

/** A row as it is reported: results in the order of their wall times, or a refusal. */
export interface Summary {
  readonly name: string;
  readonly results: readonly Result[];
  readonly refusal?: string;
}

/** The floor is no peer: nobody can copy with it. */
const floor = "empty";

/** Medians, and their ratio to the fastest tool that is neither the product nor the floor. */
export function summarize({ name, series, refusal }: Row): Summary {
  const peers = series.filter(({ tool }) => tool !== subject && tool !== floor);
  const fastest = Math.min(...peers.map(({ samples }) => median(samples.map(({ wallMs }) => wallMs))));
  const results = series.map((one) => resultOf(one, fastest)).sort((a, b) => a.wallMs - b.wallMs);
  return { name, results, ...(refusal === undefined ? {} : { refusal }) };
}

/** The middle value, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const upper = sorted[sorted.length >> 1] ?? Number.NaN;
  const lower = sorted[(sorted.length - 1) >> 1] ?? Number.NaN;
  return (lower + upper) / 2;
}

/** The rows as a Markdown table. */
export function table(summaries: readonly Summary[]): string {
  const head = ["| row | tool | wall ms | best ms | CPU ms | peak MiB | ratio |", "|---|---|--:|--:|--:|--:|--:|"];
  return [...head, ...summaries.flatMap(lines)].join("\n");
}

function lines({ name, results, refusal }: Summary): readonly string[] {
  if (refusal !== undefined) return [`| ${name} | refused | | | | | |`];
  return results.map(({ tool, wallMs, bestMs, cpuMs, peakMiB, ratio }, at) => {
    const marked = tool === subject ? `**${tool}**` : tool;
    const times = [wallMs, bestMs, cpuMs].map((value) => value.toFixed(value < 100 ? 1 : 0));
    const peak = peakMiB === undefined ? "–" : peakMiB.toFixed(0);
    return `| ${at === 0 ? name : ""} | ${[marked, ...times, peak, ratio.toFixed(2)].join(" | ")} |`;
  });
}

function resultOf({ tool, samples }: Series, fastest: number): Result {
  const wallMs = median(samples.map((sample) => sample.wallMs));
  const peaks = samples.flatMap(({ peakMiB }) => peakMiB ?? []);
  return {
    tool,
    wallMs,
    bestMs: Math.min(...samples.map((sample) => sample.wallMs)),
    cpuMs: median(samples.map((sample) => sample.cpuMs)),
    peakMiB: peaks.length === 0 ? undefined : median(peaks),
    ratio: wallMs / fastest,
    samples,
  };
}
