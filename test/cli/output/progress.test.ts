import { describe, expect, test } from "bun:test";
import { Progress, renderBars, renderLine } from "../../../src/cli/output/progress.ts";
import type { Event } from "../../../src/core/event.ts";

const mebibyte = 1024 * 1024;
const started = (digest: string, size: number): Event => {
  return { kind: "node", state: "started", digest, size, mediaType: "application/x" };
};
const finished = (digest: string, size: number): Event => {
  return { kind: "node", state: "finished", digest, size, mediaType: "application/x", outcome: "sent" };
};
const moved = (digest: string, bytes: number): Event => ({ kind: "transfer", digest, bytes });
const a = `sha256:${"a".repeat(64)}`;
const b = `sha256:${"b".repeat(64)}`;

function progressOf(...events: readonly [number, Event][]): Progress {
  const progress = new Progress();
  for (const [at, event] of events) progress.apply(event, at);
  return progress;
}

describe("renderBars()", () => {
  test("shows each node, then the sum with speed and time left", () => {
    const progress = progressOf(
      [0, started(a, 40 * mebibyte)],
      [0, started(b, 10 * mebibyte)],
      [1000, moved(a, 20 * mebibyte)],
    );
    expect(renderBars(progress, 2000, 80)).toEqual([
      `  sha256:${"a".repeat(12)} [${"=".repeat(16)}>${" ".repeat(15)}] 20.0 MiB of 40.0 MiB`,
      `  sha256:${"b".repeat(12)} [>${" ".repeat(31)}] 0 B of 10.0 MiB`,
      "  0 of 2 done, 20.0 MiB of 50.0 MiB, 10.0 MiB/s, 3.0 s left",
    ]);
  });

  test("counts what was found present as done, and not into the speed", () => {
    const progress = progressOf([0, started(a, mebibyte)], [10, finished(a, mebibyte)], [20, finished(b, mebibyte)]);
    expect(renderBars(progress, 1000, 80)).toEqual(["  2 of 2 done, 2.0 MiB of 2.0 MiB"]);
  });

  test("counts bytes that a retry sends again once only", () => {
    const progress = progressOf([0, started(a, 100)], [1, moved(a, 90)], [2, moved(a, 90)], [3, finished(a, 100)]);
    expect(progress.doneBytes).toBe(100);
  });

  test("takes the bytes of a failed node back", () => {
    const failed: Event = { kind: "node", state: "failed", digest: a, size: 100, mediaType: "application/x" };
    expect(progressOf([0, started(a, 100)], [1, moved(a, 90)], [2, failed]).doneBytes).toBe(0);
  });

  test("never is wider or higher than a small terminal takes", () => {
    const events = Array.from({ length: 30 }, (_, at): [number, Event] => [0, started(`sha256:${at}`, at)]);
    const step: Event = { kind: "step", state: "started", name: "x".repeat(200) };
    const rows = renderBars(progressOf(...events, [0, step]), 1000, 40);
    expect(rows.length).toBe(10);
    expect(Math.max(...rows.map((row) => row.length))).toBeLessThanOrEqual(39);
  });

  test("shows the last output of a step without its control characters", () => {
    const progress = progressOf(
      [0, { kind: "step", state: "started", name: "build" }],
      [1, { kind: "step", state: "output", name: "build", text: "\u001b[2Jcompiling" }],
    );
    expect(renderBars(progress, 1500, 80)).toEqual(["  build (1.5 s): \\x1b[2Jcompiling"]);
  });
});

describe("Progress.timeLeft()", () => {
  test("is unknown while only a manifest has moved", () => {
    const progress = progressOf([0, started(a, 1000 * mebibyte)], [0, started(b, 500)], [100, moved(b, 500)]);
    expect(progress.speed(300)).toBeDefined();
    expect(progress.timeLeft(300)).toBeUndefined();
    expect(renderBars(progress, 300, 80).at(-1)).not.toContain("left");
  });

  test("is known after a mebibyte, or after two seconds", () => {
    expect(progressOf([0, started(a, 3 * mebibyte)], [1000, moved(a, mebibyte)]).timeLeft(1000)).toBe(2000);
    const slow = progressOf([0, started(a, 3000)], [1000, moved(a, 500)], [3000, moved(a, 500)]);
    expect(slow.timeLeft(2900)).toBeUndefined();
    expect(slow.timeLeft(3000)).toBe(6000);
  });

  test("is unknown where it were more than 99 hours", () => {
    const crawling = progressOf([0, started(a, 1000 * mebibyte)], [0, moved(a, 500)], [5000, moved(a, 500)]);
    expect(crawling.timeLeft(5000)).toBeUndefined();
  });
});

describe("renderLine()", () => {
  test("sums up while nodes are under way, and is silent after", () => {
    const progress = progressOf([0, started(a, 4 * mebibyte)], [4000, moved(a, mebibyte)]);
    expect(renderLine(progress, 5000)).toBe("0 of 1 done, 1.0 MiB of 4.0 MiB, 204.8 KiB/s, 15 s left");
    progress.apply(finished(a, 4 * mebibyte), 6000);
    expect(renderLine(progress, 7000)).toBeUndefined();
  });

  test("names the step that runs", () => {
    const progress = progressOf([0, { kind: "step", state: "started", name: "build" }]);
    expect(renderLine(progress, 65_000)).toBe("build: running for 1 min 5 s");
  });
});

test("Progress.speed() forgets what is older than five seconds", () => {
  const progress = progressOf([0, started(a, mebibyte)], [100, moved(a, 1000)]);
  expect(progress.speed(1000)).toBe(1000);
  expect(progress.speed(5200)).toBeUndefined();
});
