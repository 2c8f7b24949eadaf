import { readdir, stat, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { Io } from "../core/content.ts";

const deadMs = 24 * 60 * 60 * 1000;

/** From what age, in milliseconds, a file is taken to be dead, and how it is removed; a day and unlink(2) by default. */
export interface RemainsOptions {
  readonly ageMs?: number;
  readonly remove?: (path: string) => Promise<void>;
}

/**
 * Removes what writers of the same archive left that were killed: no byte was added for a day before `alive` was made.
 * What cannot be removed, as another user's, is told as a `debug` event and left.
 */
export async function removeDead(path: string, alive: string, io: Io, options: RemainsOptions = {}): Promise<void> {
  const { ageMs = deadMs, remove = unlink } = options;
  const start = `${basename(path)}.`;
  const names = await readdir(dirname(path)).catch(() => []); // A folder may be writable but not readable
  const now = (await stat(alive)).ctimeMs; // The file system's own clock
  for (const name of names) {
    if (!name.startsWith(start) || !/^[0-9a-f]{16}\.tmp$/.test(name.slice(start.length))) continue;
    const dead = join(dirname(path), name);
    if (dead === alive) continue;
    const found = await stat(dead).catch(() => undefined);
    if (!found?.isFile() || now - found.ctimeMs <= ageMs) continue;
    await remove(dead).catch((error: unknown) => {
      const reason = error instanceof Error ? error.message : String(error);
      io.emit({ kind: "debug", message: `Cannot remove ${dead}, left by a dead writer: ${reason}` });
    });
  }
}
