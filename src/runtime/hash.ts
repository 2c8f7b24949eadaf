import { open, stat } from "node:fs/promises";
import type { Worker } from "node:worker_threads";
import { LibraryError } from "../core/error.ts";
import { startHash } from "../core/hashing.ts";
import type { Hash, HashAlgorithm } from "../core/ports.ts";
import { isCompiled } from "./detect.ts";

/** What a worker is asked. */
export interface HashTask {
  readonly path: string;
  readonly algorithm: HashAlgorithm;
}

/** What it answers: the hash in lower-case hex, or why there is none. */
export type HashAnswer = { readonly hex: string } | { readonly problem: string };

/** Two threads hash faster than the disks and networks that feed them. */
const workerCount = 2;
/** Below this many bytes, handing a file to a worker takes longer than hashing it here. */
const smallFile = 4 << 20;

/**
 * Hashes files of at least 4 MiB in at most two workers, made when the first is needed, and smaller ones piecewise on
 * this thread. An unreadable file fails with `io-error`, a worker that ends in the middle of its task with `internal`.
 */
export function makeHash(start: () => Promise<Worker> = startWorker): Hash {
  const idle: Worker[] = [];
  const ended = new WeakSet<Worker>();
  const waiting: (() => void)[] = [];
  let workers = 0;

  return {
    async file(path, algorithm, signal) {
      signal.throwIfAborted();
      const size = await sizeOf(path);
      if (size < smallFile) return hashHere(path, algorithm, signal);
      const worker = await take(signal);
      let sound = false;
      try {
        const hex = await ask(worker, { path, algorithm }, signal);
        sound = true;
        return hex;
      } finally {
        give(worker, sound);
      }
    },
    async close() {
      workers -= idle.length;
      await Promise.all(idle.splice(0).map((worker) => worker.terminate()));
    },
  };

  async function take(signal: AbortSignal): Promise<Worker> {
    for (;;) {
      signal.throwIfAborted();
      const worker = idle.pop();
      if (worker) return worker;
      if (workers < workerCount) {
        workers++;
        try {
          const made = await start();
          made.once("exit", () => forget(made));
          return made;
        } catch (error) {
          workers--;
          wakeAll();
          throw error;
        }
      }
      await new Promise<void>((resolve) => {
        const wake = () => {
          signal.removeEventListener("abort", wake);
          resolve();
        };
        waiting.push(wake);
        signal.addEventListener("abort", wake);
      });
    }
  }

  /** A worker that ended gets no task; one that has a task is given back by it. */
  function forget(worker: Worker): void {
    ended.add(worker);
    const at = idle.indexOf(worker);
    if (at < 0) return;
    idle.splice(at, 1);
    workers--;
  }

  function give(worker: Worker, sound: boolean): void {
    if (sound && !ended.has(worker)) idle.push(worker);
    else {
      workers--;
      void worker.terminate();
    }
    wakeAll();
  }

  /** All look again: one of them may have been aborted and would keep the turn to itself. */
  function wakeAll(): void {
    for (const wake of waiting.splice(0)) wake();
  }
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

async function hashHere(path: string, algorithm: HashAlgorithm, signal: AbortSignal): Promise<string> {
  try {
    const file = await open(path, "r");
    try {
      const hash = startHash(algorithm);
      const buffer = new Uint8Array(256 << 10);
      for (;;) {
        signal.throwIfAborted();
        const { bytesRead } = await file.read(buffer, 0, buffer.byteLength, null);
        if (bytesRead === 0) return hash.hex();
        hash.update(buffer.subarray(0, bytesRead));
      }
    } finally {
      await file.close();
    }
  } catch (cause) {
    if (signal.aborted) throw signal.reason;
    throw unreadable(path, cause);
  }
}

async function startWorker(): Promise<Worker> {
  const { Worker } = await import("node:worker_threads");
  // An entry point of its own: `bun build --compile src/main.ts src/runtime/hash-worker.ts` places it so
  const url = isCompiled
    ? new URL("./runtime/hash-worker.js", "file:///$bunfs/root/")
    : new URL("./hash-worker.ts", import.meta.url);
  const worker = new Worker(url);
  // A worker without a task never keeps the process alive
  worker.unref();
  return worker;
}

function ask(worker: Worker, task: HashTask, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const onAbort = () => end(() => reject(signal.reason));
    const onAnswer = (answer: HashAnswer) =>
      end(() => ("hex" in answer ? resolve(answer.hex) : reject(unreadable(task.path, answer.problem))));
    const onError = (cause: unknown) =>
      end(() => reject(new LibraryError("internal", "Cannot hash: the worker does not run", { cause })));
    const onExit = (status: unknown) =>
      end(() => reject(new LibraryError("internal", `Cannot hash: the worker ended with status ${status}`)));
    worker.ref();
    worker.once("message", onAnswer);
    worker.once("error", onError);
    worker.once("exit", onExit);
    signal.addEventListener("abort", onAbort, { once: true });
    worker.postMessage(task);

    function end(settle: () => void): void {
      worker.off("message", onAnswer);
      worker.off("error", onError);
      worker.off("exit", onExit);
      signal.removeEventListener("abort", onAbort);
      worker.unref();
      settle();
    }
  });
}

function unreadable(path: string, cause: unknown): LibraryError {
  return new LibraryError("io-error", `Cannot hash ${path}: it cannot be read`, { cause });
}
