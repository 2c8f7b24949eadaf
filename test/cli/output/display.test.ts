import { describe, expect, test } from "bun:test";
import { Display, type DisplayMode } from "../../../src/cli/output/display.ts";
import { textStyle } from "../../../src/cli/output/style.ts";
import type { Event } from "../../../src/core/event.ts";
import { testWorld } from "../../support/world.ts";

const node: Event = { kind: "node", state: "started", digest: `sha256:${"a".repeat(64)}`, size: 1024, mediaType: "x" };

function display(mode: DisplayMode, flags: { quiet?: boolean; debug?: boolean } = {}) {
  const world = testWorld();
  const shown = new Display({
    mode,
    quiet: flags.quiet ?? false,
    debug: flags.debug ?? false,
    style: textStyle(false),
    columns: () => 80,
    now: () => world.now(),
    write: (text) => world.writeStderr(text),
    every: (milliseconds, tick) => world.every(milliseconds, tick),
  });
  return { shown, world };
}

describe("Display in a log", () => {
  test("writes a line every five seconds, and none for shorter work", () => {
    const { shown, world } = display("lines");
    shown.event(node);
    world.advance(4900);
    expect(world.stderr()).toBe("");
    world.advance(6000);
    expect(world.stderr()).toBe("0 of 1 done, 0 B of 1.0 KiB\n".repeat(2));
    shown.finish();
    world.advance(60_000);
    expect(world.stderr().split("\n").length).toBe(3);
  });

  test("writes steps and their output as they come", () => {
    const { shown, world } = display("lines");
    shown.event({ kind: "step", state: "started", name: "build" });
    shown.event({ kind: "step", state: "output", name: "build", text: "one" });
    shown.event({ kind: "step", state: "output", name: "build", text: "two" });
    shown.event({ kind: "step", state: "finished", name: "build", duration: 1500 });
    expect(world.stderr()).toBe("step: build\nbuild:\n  one\n  two\ndone: build (1.5 s)\n");
  });
});

describe("Display on a terminal", () => {
  test("draws over what it drew, and leaves nothing behind", () => {
    const { shown, world } = display("bars");
    shown.event(node);
    world.advance(200);
    shown.finish();
    const [first, second, third, ...rest] = world.stderr().split("\u001b[2A\r\u001b[J");
    expect(first).toBe(second);
    expect(first).toEndWith("0 of 1 done, 0 B of 1.0 KiB\n");
    expect([third, rest]).toEqual(["", []]);
  });

  test("draws nothing for work that is over at once", () => {
    const { shown, world } = display("bars");
    shown.event(node);
    shown.finish();
    expect(world.stderr()).toBe("");
  });

  test("puts a warning above the bars", () => {
    const { shown, world } = display("bars");
    shown.event(node);
    world.advance(100);
    shown.event({ kind: "warning", code: "registry-warning", message: "old" });
    expect(world.stderr()).toEndWith("\u001b[2A\r\u001b[Jwarning: old\n");
  });
});

describe("Display", () => {
  const wait: Event = { kind: "wait", reason: "registry.example.org: 429", milliseconds: 2000 };
  const debug: Event = { kind: "debug", message: "GET https://u:p@host/" };

  test("says what it waits for, unless it is quiet", () => {
    const loud = display("lines");
    loud.shown.event(wait);
    expect(loud.world.stderr()).toBe("Waiting 2.0 s: registry.example.org: 429\n");
    const quiet = display("none", { quiet: true });
    quiet.shown.event(wait);
    expect(quiet.world.stderr()).toBe("");
  });

  test("says once that several connections wait for the same host and reason, and again for the next wait", () => {
    const { shown, world } = display("lines");
    const blob = (letter: string): Event => {
      const reason = `r.example.org: Cannot push sha256:${letter.repeat(64)}: 503`;
      return { kind: "wait", reason, milliseconds: 2000 };
    };
    shown.event(wait);
    shown.event(wait);
    shown.event(blob("a"));
    shown.event(blob("b"));
    expect(world.stderr().split("\n").length).toBe(3);
    world.advance(2000);
    shown.event(wait);
    shown.event({ ...wait, reason: "other.example.org: 429" });
    expect(world.stderr().split("\n").length).toBe(5);
  });

  test("shows debug events with --debug only, without secrets", () => {
    const silent = display("lines");
    silent.shown.event(debug);
    expect(silent.world.stderr()).toBe("");
    const loud = display("lines", { debug: true });
    loud.shown.event(debug);
    expect(loud.world.stderr()).toBe("debug: GET https://[redacted]@host/\n");
  });

  test("shows no progress where there is to be none, but warnings", () => {
    const { shown, world } = display("none", { quiet: true });
    shown.event(node);
    shown.event({ kind: "step", state: "finished", name: "build" });
    shown.event({ kind: "warning", code: "x", message: "careful\u001b[2J" });
    world.advance(60_000);
    expect(world.stderr()).toBe("warning: careful\\x1b[2J\n");
  });
});
