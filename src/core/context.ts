import type { Io } from "./content.ts";
import type { Hash, Http, Lock, Random, Run, Serve, State, Terminal } from "./ports.ts";
import type { Report } from "./report.ts";

/** How registries are reached in this run: from flags and the environment. */
export interface NetworkSettings {
  /** Speak plain http to every registry; loopback addresses are tried so anyway. */
  readonly plainHttp: boolean;
  /** `host[:port]` of registries whose certificate is not checked and that may answer over plain http. */
  readonly insecureRegistries: readonly string[];
  /** PEM files whose certificates are trusted besides the system's. */
  readonly caFiles: readonly string[];
  /** A credentials file to read and write instead of Docker's and containers'. */
  readonly authFile: string | undefined;
  /** Nodes of a copy that move at a time; 1 to 64. */
  readonly concurrency: number;
}

/** The outside world as an operation sees it; made in `cli/context.ts`, or by a test. */
export interface Context extends Io {
  readonly http: Http;
  readonly serve: Serve;
  readonly run: Run;
  readonly lock: Lock;
  readonly hash: Hash;
  readonly state: State;
  readonly random: Random;
  readonly terminal: Terminal;
  readonly network: NetworkSettings;
  /** The environment of the process, read only. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Absolute. */
  readonly cwd: string;
  now(): Date;
  /** Resolves after `milliseconds`; rejects with the signal's reason when it aborts. */
  sleep(milliseconds: number): Promise<void>;
}

/** A verb: everything that it needs comes with `context` and `input`, all that it has to say is in the report. */
export type Operation<Input, R extends Report> = (context: Context, input: Input) => Promise<R>;
