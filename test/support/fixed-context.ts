import { join } from "node:path";
import type { Context } from "../../src/core/context.ts";
import type { Event } from "../../src/core/event.ts";

/** What a test says of the world; everything else of the context throws as soon as it is used. */
export interface FixedWorld {
  /** Working directory, absolute; the home directory is `home` below it. */
  readonly cwd: string;
  /** Lines typed at the terminal, in order; without them there is no terminal. A function may act before it answers. */
  readonly answers?: readonly (string | (() => string | undefined))[];
  /** What standard input holds; without it, reading it fails the test. */
  readonly stdin?: string | Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
  /** Default 2026-01-31T12:00:00Z. */
  readonly now?: Date;
  readonly signal?: AbortSignal;
}

export interface FixedContext extends Context {
  readonly events: Event[];
  /** Questions that were asked. */
  readonly asked: string[];
  /** All bytes that were written to standard output. */
  stdout(): Uint8Array;
}

/** A context for operations that use files, the clock, the terminal and the environment, and no network or program. */
export function fixedContext(world: FixedWorld): FixedContext {
  const events: Event[] = [];
  const asked: string[] = [];
  const answers = [...(world.answers ?? [])];
  const isTerminal = world.answers !== undefined;
  const home = join(world.cwd, "home");
  let counter = 0;
  const stdin = world.stdin === undefined ? undefined : new Uint8Array(Buffer.from(world.stdin));
  const written: Uint8Array[] = [];
  const absent = (name: string) => (): never => {
    throw new Error(`the test gave no ${name}`);
  };
  return {
    events,
    asked,
    stdout: () => new Uint8Array(Buffer.concat(written)),
    signal: world.signal ?? new AbortController().signal,
    emit: (event) => void events.push(event),
    http: { send: absent("http"), close: async () => {} },
    serve: absent("serve"),
    run: absent("run"),
    lock: { exclusive: absent("lock") },
    hash: { file: absent("hash"), close: async () => {} },
    state: {
      home,
      config: join(home, ".config/library"),
      cache: join(home, ".cache/library"),
      state: join(home, ".state"),
    },
    random: { hex: (bytes) => String(counter++).padStart(bytes * 2, "0"), fraction: () => 0.5 },
    terminal: {
      stdinIsTerminal: isTerminal,
      stdoutIsTerminal: isTerminal,
      stderrIsTerminal: isTerminal,
      columns: 80,
      ask: async (question) => {
        asked.push(question);
        const answer = answers.shift();
        return typeof answer === "function" ? answer() : answer;
      },
      readStdin: stdin ? async () => stdin : absent("stdin"),
      stdin: stdin ? () => new Blob([stdin]).stream() : absent("stdin"),
      writeStdout: async (bytes) => void written.push(new Uint8Array(Buffer.from(bytes))),
    },
    network: {
      plainHttp: false,
      insecureRegistries: [],
      caFiles: [],
      authFile: undefined,
      concurrency: 16,
    },
    env: world.env ?? {},
    cwd: world.cwd,
    now: () => world.now ?? new Date("2026-01-31T12:00:00Z"),
    sleep: absent("sleep"),
  };
}
