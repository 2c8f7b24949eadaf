import { closeSync, fsync, lstatSync, openSync, renameSync, unlinkSync } from "node:fs";
import { promisify } from "node:util";
import { fileError } from "./file-error.ts";
import { limiter } from "./limit.ts";

/** Files that are synced at a time: spec of the product, measured; more gain nothing. */
const concurrency = 16;

/** What waits for the disk; all else here is done sooner than another thread would take it. */
const sync = promisify(fsync);

/** A file under its temporary name, and where it belongs; both on one file system. */
export interface Move {
  readonly from: string;
  readonly to: string;
}

/**
 * Every file is on its disk under its final name after: all are synced, then all renamed, then `folders` synced. What
 * lay at a final name is replaced in one step. Fails with `io-error`; files that were not yet renamed are left.
 */
export async function moveDurably(moves: readonly Move[], folders: readonly string[]): Promise<void> {
  await each(moves, ({ from }) => syncPath(from));
  for (const { from, to } of moves) move(from, to);
  await each(folders, syncPath);
}

/** The file's or folder's content is on its disk after. */
export async function syncPath(path: string): Promise<void> {
  try {
    const file = openSync(path, "r");
    try {
      await sync(file);
    } finally {
      closeSync(file);
    }
  } catch (cause) {
    throw fileError("write", path, cause);
  }
}

function move(from: string, to: string): void {
  try {
    renameSync(from, to);
    // Renaming onto another name of the same file does nothing at all (POSIX rename), so the old name may still be there
    if (lstatSync(from, { throwIfNoEntry: false })) unlinkSync(from);
  } catch (cause) {
    throw fileError("write", to, cause);
  }
}

/** Waits for all to end even where one fails, so that nothing goes on in the background; then throws the first failure. */
async function each<T>(items: readonly T[], body: (item: T) => Promise<void>): Promise<void> {
  const limit = limiter(concurrency);
  const results = await Promise.allSettled(items.map((item) => limit(() => body(item))));
  for (const result of results) if (result.status === "rejected") throw result.reason;
}
