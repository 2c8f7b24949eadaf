import type { Dirent } from "node:fs";
import { link, lstat, mkdir, readdir, rm, rmdir, stat, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { LibraryError } from "../core/error.ts";
import { writeJson } from "../core/json.ts";
import { indexFile, layoutFile, layoutVersion } from "../oci/layout.ts";
import { syncPath } from "./durable.ts";
import { errorCode, fileError, namingFile } from "./file-error.ts";
import { emptyLayoutIndex, serializeLayoutIndex } from "./layout-index.ts";
import { type Staging, writeDurably } from "./staging.ts";

/** The bytes of `oci-layout`. */
export const layoutMarker = writeJson({ imageLayoutVersion: layoutVersion });

/**
 * A folder is at `root` after, which is a layout or may become one: it holds no file of something else; other folders
 * may be in it, as the repositories below a registry's are. Resolves to the topmost folder that had to be made, undefined where all were there. Fails
 * with `io-error`, or `invalid-input` where something else is in the way.
 */
export async function makeLayoutFolder(root: string): Promise<string | undefined> {
  if (await checkLayoutFolder(root)) return undefined;
  return namingFile("write", root, () => mkdir(root, { recursive: true }));
}

/** What this program keeps in a layout: through a link there, it would remove or lock files of somebody else. */
function refuseLinks(root: string, entries: readonly Dirent[]): void {
  const strange = entries.find(
    (entry) => (entry.name === ".partial" && !entry.isDirectory()) || (entry.name === ".lock" && !entry.isFile()),
  );
  if (strange === undefined) return;
  const path = join(root, strange.name);
  throw new LibraryError("malformed-content", `Cannot write ${path}: a link or a special file is in its place`, {
    hint: `Look where it leads, and remove it: "rm ${path}"`,
  });
}

/** Files of a layout that another writer is just making, or that one left. */
const ownFiles: ReadonlySet<string> = new Set([indexFile, ".lock", ".lock-journal"]);

async function refuseForeign(root: string): Promise<void> {
  const entries = await namingFile("read", root, () => readdir(root, { withFileTypes: true }));
  refuseLinks(root, entries);
  if (entries.some(({ name }) => name === layoutFile)) return;
  const foreign = entries.find((entry) => !entry.isDirectory() && !ownFiles.has(entry.name));
  if (foreign === undefined) return;
  throw new LibraryError("already-exists", `Cannot write oci:${root}: it holds ${foreign.name} and is no OCI layout`, {
    hint: "Name a new folder, an empty one, or one that is an OCI layout",
  });
}

/**
 * Whether there is a folder at `root`; then it is a layout or may become one. Throws `already-exists` where it holds
 * files of something else, `malformed-content` where a link is in the place of what this program keeps there.
 */
export async function checkLayoutFolder(root: string): Promise<boolean> {
  if (!(await isFolder(root))) return false;
  await refuseForeign(root);
  return true;
}

/** Removes the folders that `makeLayoutFolder` made, as far as nothing is in them. */
export async function removeLayoutFolder(root: string, topmost: string): Promise<void> {
  for (let folder = resolve(root); folder.length >= topmost.length; folder = dirname(folder)) {
    try {
      await rmdir(folder);
    } catch {
      return; // Others' files are in it
    }
  }
}

/**
 * A layout is in the folder at `root` after: the one that was there, or an empty one. `oci-layout` comes last, so that a
 * folder is no layout before it is a whole one. Fails with `io-error`.
 */
export async function createLayout(root: string, staging: Staging): Promise<void> {
  // index.json of a layout that others are just making is left to them
  if ((await isThere(join(root, layoutFile))) && (await isThere(join(root, indexFile)))) return;
  await namingFile("write", root, () => mkdir(join(root, "blobs", "sha256"), { recursive: true }));
  await addFile(root, indexFile, serializeLayoutIndex(emptyLayoutIndex, indexFile), staging);
  await addFile(root, layoutFile, layoutMarker, staging);
  await syncPath(root);
  await syncPath(dirname(resolve(root)));
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
