import { mkdir } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { isNativeError } from "node:util/types";
import { LibraryError } from "../core/error.ts";
import type { Lock } from "../core/ports.ts";
import { sleep } from "./clock.ts";

/**
 * Locks by SQLite's exclusive transaction on an empty file: the operating system frees them with the process that held
 * them, and they hold between runtimes. Callers of one process queue for a path first, in the order they came.
 */
export function makeLock(): Lock {
  /** By path: settled when the last caller in the queue is done. */
  const queues = new Map<string, Promise<void>>();

  return {
    async exclusive(path, io, body, timeoutMs = 60_000) {
      io.signal.throwIfAborted();
      const deadline = performance.now() + timeoutMs;
      // Joined before anything is awaited: the queue is in the order of the calls
      const key = resolve(path);
      const before = queues.get(key) ?? Promise.resolve();
      const { promise: done, resolve: leave } = Promise.withResolvers<void>();
      const tail = before.then(() => done);
      queues.set(key, tail);
      try {
        await turn(before, path, io.signal, deadline);
        const held = await take(path, io.signal, deadline);
        try {
          return await body();
        } finally {
          // Closing ends the transaction, and with it the lock
          held.close();
        }
      } finally {
        leave();
        if (queues.get(key) === tail) queues.delete(key);
      }
    },
  };
}

async function turn(before: Promise<void>, path: string, signal: AbortSignal, deadline: number): Promise<void> {
  signal.throwIfAborted();
  const waiting = new AbortController();
  const stop = () => waiting.abort(signal.reason);
  signal.addEventListener("abort", stop, { once: true });
  try {
    const late = sleep(Math.max(0, deadline - performance.now()), waiting.signal).then(() => {
      throw busy(path);
    });
    await Promise.race([before, late]);
  } finally {
    signal.removeEventListener("abort", stop);
    waiting.abort();
  }
}

async function take(path: string, signal: AbortSignal, deadline: number): Promise<DatabaseSync> {
  const { DatabaseSync } = await import("node:sqlite");
  let database: DatabaseSync | undefined;
  try {
    await mkdir(dirname(path), { recursive: true });
    database = new DatabaseSync(path);
    // SQLite's own waiting would block every stream of this thread
    database.exec("PRAGMA busy_timeout = 0");
    for (let longest = 4; ; longest = Math.min(longest * 2, 64)) {
      signal.throwIfAborted();
      if (begins(database)) return database;
      const left = deadline - performance.now();
      if (left <= 0) throw busy(path);
      await sleep(Math.min(left, 1 + Math.random() * longest), signal);
    }
  } catch (cause) {
    database?.close();
    if (cause instanceof LibraryError || signal.aborted) throw cause;
    throw new LibraryError("io-error", `Cannot lock ${path}: the file cannot be opened or locked`, {
      cause,
      hint: "Check that the folder can be written and its file system supports locks",
    });
  }
}

function begins(database: DatabaseSync): boolean {
  try {
    database.exec("BEGIN EXCLUSIVE");
    return true;
  } catch (error) {
    // SQLITE_BUSY has no code that both runtimes agree on, but one message
    if (isNativeError(error) && /database is locked/i.test(error.message)) return false;
    throw error;
  }
}

function busy(path: string): LibraryError {
  return new LibraryError("locked", `Cannot lock ${path}: another process holds it`, {
    hint: "Wait for the other library process to end, or stop it",
  });
}
