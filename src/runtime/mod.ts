import type { Context, NetworkSettings } from "../core/context.ts";
import type { Hash, Http, Lock } from "../core/ports.ts";
import { now, sleep } from "./clock.ts";
import { random } from "./random.ts";
import { findState } from "./state.ts";
import { makeTerminal } from "./terminal.ts";

/** What the ports are made from. */
export interface RuntimeSettings {
  readonly network: NetworkSettings;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Ends `sleep`; all other ports take a signal with each call. */
  readonly signal: AbortSignal;
}

/** The part of a Context that the outside world gives, and `close`, which ends its connections and workers. */
export interface Runtime
  extends Pick<
    Context,
    "http" | "serve" | "run" | "lock" | "hash" | "state" | "random" | "terminal" | "now" | "sleep"
  > {
  close(): Promise<void>;
}

/** The ports of this process. What takes long to load (clients, servers, SQLite, workers) is loaded by its first use. */
export function makeRuntime(settings: RuntimeSettings): Runtime {
  const http = lazy<Http>(async () => (await import("./http.ts")).makeHttp(settings));
  const hash = lazy<Hash>(async () => (await import("./hash.ts")).makeHash());
  const lock = lazy<Lock>(async () => (await import("./lock.ts")).makeLock());

  return {
    http: {
      send: async (request) => (await http()).send(request),
      close: async () => (await http.made)?.close(),
    },
    hash: {
      file: async (path, algorithm, signal) => (await hash()).file(path, algorithm, signal),
      close: async () => (await hash.made)?.close(),
    },
    lock: {
      exclusive: async (path, io, body, timeoutMs) => (await lock()).exclusive(path, io, body, timeoutMs),
    },
    serve: async (options) => (await import("./serve.ts")).serve(options),
    run: async (argv, options) => (await import("./run.ts")).run(argv, options),
    state: findState(settings.env),
    random,
    terminal: makeTerminal(),
    now,
    sleep: (milliseconds) => sleep(milliseconds, settings.signal),
    async close() {
      await Promise.all([http.made, hash.made].map(async (port) => (await port)?.close()));
    },
  };
}

interface Lazy<T> {
  (): Promise<T>;
  /** Undefined until the first call. */
  readonly made: Promise<T> | undefined;
}

function lazy<T>(make: () => Promise<T>): Lazy<T> {
  let made: Promise<T> | undefined;
  const get = () => {
    made ??= make();
    return made;
  };
  return Object.defineProperty(get, "made", { get: () => made }) as Lazy<T>;
}
