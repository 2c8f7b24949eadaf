import type { Context, NetworkSettings } from "../core/context.ts";
import type { Event } from "../core/event.ts";

/** What a run is told before the context of its operation is made. */
export interface RunSettings {
  readonly network: NetworkSettings;
  emit(event: Event): void;
}

/** A context and the connections and workers behind it. */
export interface OpenContext {
  readonly context: Context;
  /** Ends connections and workers; nothing is used after. */
  close(): Promise<void>;
}

/** The process as `run` sees it: made by `main.ts`, or by a test. */
export interface World {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Absolute. */
  readonly cwd: string;
  readonly stdoutIsTerminal: boolean;
  readonly stderrIsTerminal: boolean;
  /** Columns of the terminal on standard error at this moment; 80 where there is none. */
  columns(): number;
  /** Resolves when all is taken; rejects with a system error, `EPIPE` where nobody reads any more. */
  writeStdout(text: string): Promise<void>;
  /** Does not fail: there is no other place to say so. */
  writeStderr(text: string): void;
  /** Milliseconds that never go back. */
  now(): number;
  /** Calls `tick` every `milliseconds` until the function returned is called; keeps no process alive. */
  every(milliseconds: number, tick: () => void): () => void;
  /** Aborts with a LibraryError `interrupted` when the user wants to stop. */
  readonly signal: AbortSignal;
  openContext(settings: RunSettings): Promise<OpenContext>;
}
