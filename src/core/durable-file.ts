import { open, realpath, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { LibraryError } from "./error.ts";
import type { Random } from "./ports.ts";

/**
 * The file at `path` holds exactly what `fill` wrote, and is on its disk, or it is as it was before: a temporary file
 * beside it is written, synced and renamed over it. `fill` gets the temporary file's path, which does not exist yet
 * with content. The folder must be there. A symbolic link stays one, and what it names is replaced; a device or a pipe,
 * as /dev/stderr, is written to directly. Throws `io-error` for a folder; passes on what `fill` and the file system throw.
 */
export async function replaceFile(
  path: string,
  random: Pick<Random, "hex">,
  fill: (temporary: string) => Promise<void>,
  mode = 0o644,
): Promise<void> {
  const found = await stat(path).catch(absent(undefined));
  if (found?.isDirectory()) throw new LibraryError("io-error", `Cannot write ${path}: it is a folder`);
  if (found !== undefined && !found.isFile()) return fill(path);
  const target = await realpath(path).catch(absent(path));
  const temporary = `${target}.${random.hex(6)}.tmp`;
  try {
    await (await open(temporary, "wx", mode)).close();
    await fill(temporary);
    await sync(temporary);
    await rename(temporary, target);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await sync(dirname(target));
}

/** `value` where there is nothing; every other failure is passed on. */
function absent<T>(value: T): (cause: unknown) => T {
  return (cause) => {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return value;
    throw cause;
  };
}

async function sync(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
