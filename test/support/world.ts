import type { RunSettings, World } from "../../src/cli/world.ts";
import type { Context } from "../../src/core/context.ts";
import { LibraryError } from "../../src/core/error.ts";
import { fixedContext } from "./fixed-context.ts";

export interface TestWorld extends World {
  /** All that was written to standard output. */
  stdout(): string;
  stderr(): string;
  /** What the run told the context, once it is open. */
  readonly settings: RunSettings[];
  /** Contexts opened and not closed. */
  open(): number;
  /** As Ctrl-C does. */
  interrupt(): void;
  /** Moves the clock, and runs what is due. */
  advance(milliseconds: number): void;
}

/** A process made of memory, whose clock stands still unless it is moved. */
export function testWorld(
  given: {
    readonly env?: Readonly<Record<string, string>>;
    readonly cwd?: string;
    readonly stdoutIsTerminal?: boolean;
    readonly stderrIsTerminal?: boolean;
    /** Standard output fails with this system error. */
    readonly stdoutFails?: string;
    /** What operations get instead of a fixed context; signal, events and network are the run's all the same. */
    readonly context?: Context;
  } = {},
): TestWorld {
  const cwd = given.cwd ?? "/nowhere";
  const interruption = new AbortController();
  const settings: RunSettings[] = [];
  const tickers = new Set<{ readonly every: number; due: number; tick: () => void }>();
  let out = "";
  let err = "";
  let open = 0;
  let time = 0;
  return {
    env: given.env ?? {},
    cwd,
    stdoutIsTerminal: given.stdoutIsTerminal ?? false,
    stderrIsTerminal: given.stderrIsTerminal ?? false,
    columns: () => 80,
    async writeStdout(text) {
      const code = given.stdoutFails;
      if (code !== undefined) throw Object.assign(new Error(`${code}: write`), { code, syscall: "write" });
      out += text;
    },
    writeStderr: (text) => {
      err += text;
    },
    now: () => time,
    every(milliseconds, tick) {
      const ticker = { every: milliseconds, due: time + milliseconds, tick };
      tickers.add(ticker);
      return () => tickers.delete(ticker);
    },
    signal: interruption.signal,
    async openContext(run) {
      settings.push(run);
      open++;
      const { signal } = interruption;
      const context = { ...(given.context ?? fixedContext({ cwd })), signal, emit: run.emit, network: run.network };
      return {
        context,
        close: async () => {
          open--;
        },
      };
    },
    stdout: () => out,
    stderr: () => err,
    settings,
    open: () => open,
    interrupt: () => interruption.abort(new LibraryError("interrupted", "Interrupted by SIGINT")),
    advance(milliseconds) {
      const end = time + milliseconds;
      for (;;) {
        const [next] = [...tickers].filter(({ due }) => due <= end).sort((a, b) => a.due - b.due);
        if (next === undefined) break;
        time = next.due;
        next.due += next.every;
        next.tick();
      }
      time = end;
    },
  };
}
