import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { startByteRelay } from "./byte-relay.ts";
import { libraryBinary } from "./program.ts";

export interface InterruptedRun {
  /** The exit status, or the name of the signal that ended the process. */
  readonly ended: number | NodeJS.Signals;
  readonly stderr: string;
  /** Bytes that had passed the relay when it ended. */
  readonly moved: number;
  /** What it was doing, by the last request: as "GET blob". */
  readonly phase: string;
}

export interface InterruptOptions {
  /** The registry behind the relay, as `127.0.0.1:40001`. */
  readonly registry: string;
  /** Arguments of the executable, given the relay's host in place of the registry. */
  readonly argv: (host: string) => readonly string[];
  /** Bytes between program and registry after which the signal is sent; never unless told. */
  readonly at?: number;
  /** SIGKILL unless told. */
  readonly signal?: NodeJS.Signals;
  /** Whether the network goes on after the signal; it is dead unless told. */
  readonly goesOn?: boolean;
  /** Called with a function that sends the signal, for what is not counted in bytes; the function returned ends that. */
  readonly watch?: (interrupt: () => void) => () => void;
}

/** Runs the compiled executable with a registry behind a relay until it ends, which the signal may bring about. */
export async function interruptedRun(options: InterruptOptions): Promise<InterruptedRun> {
  let child: ChildProcess | undefined;
  const interrupt = () => void child?.kill(options.signal ?? "SIGKILL");
  const port = Number(options.registry.split(":")[1]);
  const { at = Number.POSITIVE_INFINITY, goesOn = false } = options;
  const relay = await startByteRelay(port, { at, onReached: interrupt, goesOn });
  const unwatch = options.watch?.(interrupt);
  try {
    child = spawn(libraryBinary(), options.argv(relay.host), {
      env: { PATH: process.env.PATH ?? "", HOME: "/nonexistent/home" },
      stdio: ["ignore", "ignore", "pipe"],
      timeout: 60_000,
      killSignal: "SIGKILL",
    });
    let stderr = "";
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    const [status, signal] = await once(child, "close");
    return { ended: status ?? signal, stderr, moved: relay.moved(), phase: phaseOf(relay.lastRequest()) };
  } finally {
    unwatch?.();
    await relay.stop();
  }
}

function phaseOf(request: string): string {
  const [method = "", path = ""] = request.split(" ");
  if (/\/blobs\/uploads\//.test(path)) return `${method} upload`;
  if (/\/blobs\//.test(path)) return `${method} blob`;
  if (/\/manifests\/sha256:/.test(path)) return `${method} manifest`;
  if (/\/manifests\//.test(path)) return `${method} tag`;
  if (/\/referrers\//.test(path)) return `${method} referrers`;
  return request === "" ? "before the first request" : `${method} other`;
}
