import { spawn } from "node:child_process";
import { stat } from "node:fs/promises";
import { constants } from "node:os";
import { LibraryError, ToolMissingError } from "../core/error.ts";
import type { Run, RunOptions, RunResult } from "../core/ports.ts";

/** Milliseconds between asking a child to end and killing it. */
const patienceMs = 5_000;
const defaultLimit = 1 << 20;

/**
 * Runs programs by node:child_process. When the signal aborts or the time is over, the child gets SIGTERM, and SIGKILL
 * five seconds later; the promise settles when it is gone.
 */
export const run: Run = async (argv, options) => {
  await checkFolder(options.cwd);
  options.signal.throwIfAborted();
  const [program, ...rest] = argv;
  return new Promise<RunResult>((resolve, reject) => {
    let child: ReturnType<typeof start>;
    try {
      child = start(program, rest, options);
    } catch (error) {
      return reject(startFailure(program, error));
    }
    /** Why the child is being ended. */
    const ended: { reason?: { readonly error: unknown } } = {};
    let force: NodeJS.Timeout | undefined;
    const end = (error: unknown) => {
      if (ended.reason) return;
      ended.reason = { error };
      child.kill("SIGTERM");
      force = setTimeout(() => child.kill("SIGKILL"), patienceMs);
    };
    const onAbort = () => end(options.signal.reason);
    options.signal.addEventListener("abort", onAbort, { once: true });
    const late =
      options.timeoutMs === undefined ? undefined : setTimeout(() => end(tooLong(program, options)), options.timeoutMs);

    const limit = options.limit ?? defaultLimit;
    const stdout = capture(limit, options.onStdoutLine);
    const stderr = capture(limit, options.onStderrLine);
    child.stdout.on("data", stdout.take);
    child.stderr.on("data", stderr.take);
    // A child that does not read its input ends before it has all: its status says what that means
    child.stdin.on("error", () => {});
    child.stdin.end(options.stdin ?? "");

    const settle = (act: () => void) => {
      clearTimeout(late);
      clearTimeout(force);
      options.signal.removeEventListener("abort", onAbort);
      act();
    };
    child.on("error", (error) => settle(() => reject(startFailure(program, error))));
    // A grandchild may keep the pipes open; once the child was ended, they are not waited for
    child.on("exit", () => {
      if (!ended.reason) return;
      child.stdout.destroy();
      child.stderr.destroy();
    });
    child.on("close", (code, signal) =>
      settle(() => {
        if (ended.reason) return reject(ended.reason.error);
        const status = code ?? 128 + (signal ? constants.signals[signal] : 0);
        resolve({ status, stdout: stdout.end(), stderr: stderr.end() });
      }),
    );
  });
};

function start(program: string, rest: readonly string[], options: RunOptions) {
  return spawn(program, rest, {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: { ...process.env, ...options.env },
    stdio: ["pipe", "pipe", "pipe"],
  });
}

/** Without this, a missing folder would read as a missing program: both are ENOENT. */
async function checkFolder(cwd: string | undefined): Promise<void> {
  if (cwd === undefined) return;
  const found = await stat(cwd).catch(() => undefined);
  if (!found?.isDirectory()) throw new LibraryError("io-error", `Cannot run in ${cwd}: there is no such folder`);
}

function startFailure(program: string, cause: unknown): LibraryError {
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
  if (code === "ENOENT") {
    return new ToolMissingError(`Cannot run ${program}: it is not there`, {
      cause,
      hint: program.includes("/") ? `Install ${program}` : `Install ${program}, or put its folder on PATH`,
    });
  }
  const state = code === "EACCES" ? "it may not be executed" : `it does not start (${String(code ?? "unknown")})`;
  return new LibraryError("tool-failed", `Cannot run ${program}: ${state}`, { cause });
}

function tooLong(program: string, options: RunOptions): LibraryError {
  return new LibraryError("tool-failed", `Cannot go on with ${program}: not done after ${options.timeoutMs} ms`);
}

/** Keeps the last `limit` bytes and hands out full lines. */
function capture(limit: number, onLine: ((line: string) => void) | undefined) {
  let chunks: Uint8Array[] = [];
  let kept = 0;
  const decoder = new TextDecoder();
  let line = "";
  return {
    take(chunk: Uint8Array): void {
      chunks.push(chunk);
      kept += chunk.byteLength;
      if (kept > 2 * limit) shorten();
      if (onLine) lines(decoder.decode(chunk, { stream: true }));
    },
    end(): string {
      if (onLine) {
        lines(decoder.decode());
        if (line !== "") onLine(line);
      }
      return Buffer.from(shorten()).toString("utf8");
    },
  };

  function shorten(): Uint8Array {
    const last = Buffer.concat(chunks).subarray(-limit);
    chunks = [last];
    kept = last.byteLength;
    return last;
  }

  function lines(text: string): void {
    const parts = (line + text).split("\n");
    line = parts.pop() ?? "";
    // A program that never ends its line is cut, so that it cannot fill the memory
    if (line.length > limit) line = line.slice(-limit);
    for (const part of parts) onLine?.(part.endsWith("\r") ? part.slice(0, -1) : part);
  }
}
