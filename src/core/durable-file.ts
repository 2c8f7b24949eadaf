import { open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import type { Random } from "./ports.ts";

/**
 * The file at `path` holds exactly what `fill` wrote, and is on its disk, or it is as it was before: a temporary file
 * beside it is written, synced and renamed over it. `fill` gets the temporary file's path, which does not exist yet
 * with content. The folder must be there. Passes on what `fill` and the file system throw.
 */
export async function replaceFile(
  path: string,
  random: Pick<Random, "hex">,
  fill: (temporary: string) => Promise<void>,
  mode = 0o644,
): Promise<void> {
  const temporary = `${path}.${random.hex(6)}.tmp`;
  try {
    await (await open(temporary, "wx", mode)).close();
    await fill(temporary);
    await sync(temporary);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await sync(dirname(path));
}

async function sync(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
