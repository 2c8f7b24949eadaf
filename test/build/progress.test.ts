import { describe, expect, test } from "bun:test";
import { type BuildProgress, followBuild } from "../../src/build/progress.ts";
import type { Event } from "../../src/core/event.ts";

const base64 = (text: string): string => Buffer.from(text).toString("base64");
const at = (second: number): string => new Date(1_000_000_000_000 + second * 1000).toISOString();

function follow(...lines: readonly unknown[]): { readonly build: BuildProgress; readonly events: readonly Event[] } {
  const events: Event[] = [];
  const build = followBuild((event) => void events.push(event));
  for (const line of lines) build.line(typeof line === "string" ? line : JSON.stringify(line));
  return { build, events };
}

const vertex = (name: string, more: Record<string, unknown> = {}) => ({
  vertexes: [{ digest: `sha256:${name}`, name, ...more }],
});
const log = (name: string, text: string) => ({ logs: [{ vertex: `sha256:${name}`, stream: 1, data: base64(text) }] });

describe("followBuild()", () => {
  test("tells of a step once when it begins and once when it ends", () => {
    const { build, events } = follow(
      vertex("RUN a"),
      vertex("RUN a", { started: at(1) }),
      vertex("RUN a", { started: at(1) }),
      vertex("RUN a", { started: at(1), completed: at(3) }),
      vertex("RUN a", { started: at(1), completed: at(4) }),
    );
    expect(events).toEqual([
      { kind: "step", state: "started", name: "RUN a" },
      { kind: "step", state: "finished", name: "RUN a", duration: 2000 },
    ]);
    expect(build.stages()[0]).toMatchObject({ name: "RUN a", status: "done" });
  });

  test("lists steps that ran, cached, failed, or never ended, and not those that never began", () => {
    const { build } = follow(
      vertex("done", { started: at(1), completed: at(2) }),
      vertex("cached", { started: at(1), completed: at(1), cached: true }),
      vertex("failed", { started: at(1), completed: at(2), error: "exit code: 1" }),
      vertex("running", { started: at(1) }),
      vertex("waiting"),
    );
    expect(build.stages().map(({ name, status }) => `${name} ${status}`)).toEqual([
      "done done",
      "cached cached",
      "failed failed",
      "running running",
    ]);
  });

  test("joins output that comes in pieces, also inside a character", () => {
    const bytes = Buffer.from("größe\nnext\r\nrest");
    const cut = bytes.indexOf(0xb6);
    const piece = (part: Uint8Array) => ({
      logs: [{ vertex: "sha256:s", data: Buffer.from(part).toString("base64") }],
    });
    const { events } = follow(
      vertex("s", { started: at(1) }),
      piece(bytes.subarray(0, cut)),
      piece(bytes.subarray(cut)),
    );
    expect(events.flatMap((event) => (event.kind === "step" && event.text !== undefined ? [event.text] : []))).toEqual([
      "größe",
      "next",
    ]);
  });

  test("keeps the last lines of the step that failed, not of those that were cancelled with it", () => {
    const lines = Array.from({ length: 100 }, (_, number) => `line ${number}`).join("\n");
    const { build } = follow(
      vertex("cancelled", { started: at(1), completed: at(2), error: "context canceled" }),
      log("cancelled", "noise\n"),
      vertex("broken", { started: at(1) }),
      log("broken", `${lines}\nlast without an end`),
      vertex("broken", { started: at(1), completed: at(2), error: "exit code: 7" }),
      "ERROR: failed to solve",
    );
    const tail = build.tail();
    expect(tail.length).toBe(40);
    expect(tail.slice(-3)).toEqual(["line 99", "last without an end", "broken: exit code: 7"]);
  });

  test("falls back to what buildx says outside of its progress", () => {
    const { build } = follow("ERROR: no such builder", "", "{not json", '{"vertexes": 7}');
    expect(build.tail()).toEqual(["ERROR: no such builder", "{not json", '{"vertexes": 7}']);
  });

  test("collects each warning once, with its address", () => {
    const warning = { vertex: "v", level: 1, short: base64("StageNameCasing"), url: "https://example.org/rule" };
    const { build, events } = follow({ warnings: [warning, { short: base64("Other") }] }, { warnings: [warning] });
    expect(build.warnings()).toEqual(["StageNameCasing (https://example.org/rule)", "Other"]);
    expect(events.map(({ kind }) => kind)).toEqual(["warning", "warning"]);
  });

  test("lets no control characters through", () => {
    const { build, events } = follow(
      vertex("RUN \u001b[31mred\u001b[0m\u0007", {
        started: at(1),
        completed: at(2),
        error: "\u001b]0;title\u0007bad",
      }),
      log("RUN \u001b[31mred\u001b[0m\u0007", "\u001b[2Jclear\u0000\n"),
      "\u001b[1mplain\u0008",
    );
    expect(/\\u00[01][0-9a-f]/.test(JSON.stringify([events, build.tail(), build.stages()]))).toBe(false);
  });
});
