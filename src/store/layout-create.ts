import { link, lstat, mkdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { LibraryError } from "../core/error.ts";
import { writeJson } from "../core/json.ts";
import type { Random } from "../core/ports.ts";
import { indexFile, layoutFile, layoutVersion } from "../oci/layout.ts";
import { syncPath } from "./durable.ts";
import { errorCode, fileError, namingFile } from "./file-error.ts";
import { emptyLayoutIndex, serializeLayoutIndex } from "./layout-index.ts";
import { type Staging, writeDurably } from "./staging.ts";

/** The bytes of `oci-layout`. */
export const layoutMarker = writeJson({ imageLayoutVersion: layoutVersion });

/**
 * After it resolves, a layout is at `root`: the one that was there, or an empty one. A new folder appears with its files
 * in it or not at all; in a folder that is there, `oci-layout` comes last. Fails with `io-error`, or `invalid-input`
 * where something else is in the way.
 */
export async function createLayout(root: string, staging: Staging, random: Random): Promise<void> {
  if (!(await isFolder(root))) await createFolder(resolve(root), random);
  // index.json of a layout that others are just making is left to them
  if ((await isThere(join(root, layoutFile))) && (await isThere(join(root, indexFile)))) return;
  await namingFile("write", root, () => mkdir(join(root, "blobs", "sha256"), { recursive: true }));
  await addFile(root, indexFile, serializeLayoutIndex(emptyLayoutIndex, indexFile), staging);
  await addFile(root, layoutFile, layoutMarker, staging);
  await syncPath(root);
}

/** Makes the layout beside its place and renames it there; another process may have been first. */
async function createFolder(root: string, random: Random): Promise<void> {
  const temporary = `${root}.${random.hex(8)}.tmp`;
  try {
    await mkdir(join(temporary, "blobs", "sha256"), { recursive: true });
    for (const [name, bytes] of [
      [layoutFile, layoutMarker],
      [indexFile, serializeLayoutIndex(emptyLayoutIndex, indexFile)],
    ] as const) {
      await writeFile(join(temporary, name), bytes, { flag: "wx" });
      await syncPath(join(temporary, name));
    }
    await syncPath(temporary);
    await rename(temporary, root);
    await syncPath(dirname(root));
  } catch (cause) {
    await rm(temporary, { recursive: true, force: true }).catch(() => {});
    if (await isFolder(root)) return;
    throw fileError("write", root, cause);
  }
}

/** Adds a file that is not there, whole at once; one that another process adds meanwhile is left. */
async function addFile(root: string, name: string, bytes: Uint8Array, staging: Staging): Promise<void> {
  const path = join(root, name);
  const temporary = await writeDurably(staging, bytes, name);
  try {
    await link(temporary, path);
  } catch (cause) {
    if (errorCode(cause) === "EEXIST") return;
    // File systems without hard links, as FAT
    if (!["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"].includes(errorCode(cause) ?? ""))
      throw fileError("write", path, cause);
    await namingFile("write", path, () => writeFile(path, bytes, { flag: "wx" }));
  } finally {
    await rm(temporary, { force: true });
  }
}

async function isFolder(path: string): Promise<boolean> {
  try {
    if ((await stat(path)).isDirectory()) return true;
  } catch (cause) {
    if (errorCode(cause) === "ENOENT") return false;
    throw fileError("write", path, cause);
  }
  throw new LibraryError("invalid-input", `Cannot write oci:${path}: a file, expected a folder`, {
    hint: `For a tar file, write "oci-archive:${path}"`,
  });
}

async function isThere(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (cause) {
    if (errorCode(cause) === "ENOENT") return false;
    throw fileError("read", path, cause);
  }
}
