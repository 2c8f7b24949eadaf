import type { Stats } from "node:fs";
import { lstat, open, readdir, readlink } from "node:fs/promises";
import { join } from "node:path";
import type { Io } from "../core/content.ts";
import { LibraryError } from "../core/error.ts";
import type { TarEntry } from "../tar/header.ts";
import type { TarMember } from "../tar/members.ts";

/** How a folder becomes members of a layer. */
export interface FolderOptions {
  /** Where the folder's content goes, without slashes at its ends; empty for the root. */
  readonly prefix: string;
  /** Seconds since 1970, given to every entry. */
  readonly mtime: number;
}

const readBytes = 256 * 1024;
const permissionBits = 0o7777;
const othersWrite = 0o022;
const sticky = 0o1000;

/**
 * The content of a folder without the folder itself, parents before children, names in the order of their UTF-8 bytes.
 * Owner 0:0 and one time, so that where and when the folder was made does not show.
 * Symbolic links stay links, hard links become files of their own: how a tool saved space on this disk is no part of
 * the content. Throws `invalid-input` for devices, pipes, sockets and names that are not UTF-8, `io-error`.
 */
export async function* folderMembers(folder: string, options: FolderOptions, io: Io): AsyncGenerator<TarMember> {
  yield* members(folder, options.prefix === "" ? "" : `${options.prefix}/`, options, io);
}

async function* members(folder: string, prefix: string, options: FolderOptions, io: Io): AsyncGenerator<TarMember> {
  const names = await readdir(folder).catch((cause: unknown) => {
    throw unreadable(folder, cause);
  });
  const sorted = names.map((name) => ({ name, key: Buffer.from(name) })).sort((a, b) => Buffer.compare(a.key, b.key));
  for (const { name } of sorted) {
    io.signal.throwIfAborted();
    const path = join(folder, name);
    const found = await stats(path);
    const entry = base(found, options);
    if (found.isDirectory()) {
      yield { entry: { ...entry, path: `${prefix}${name}/`, type: "directory" } };
      yield* members(path, `${prefix}${name}/`, options, io);
    } else if (found.isSymbolicLink()) {
      yield { entry: { ...entry, path: prefix + name, type: "symlink", mode: 0o777, target: await linkTarget(path) } };
    } else if (found.isFile()) {
      yield {
        entry: { ...entry, path: prefix + name, type: "file", size: found.size },
        content: () => readFile(path, io),
      };
    } else {
      throw new LibraryError("invalid-input", `Cannot add ${path}: it is a device, a pipe or a socket`, {
        hint: "Remove it from the folder, or give a tar that holds it",
      });
    }
  }
}

function base(found: Stats, options: FolderOptions): TarEntry {
  return { path: "", type: "file", mode: normalMode(found), uid: 0, gid: 0, size: 0, mtime: options.mtime };
}

/**
 * The permission bits as they are, but without the write bits of group and others, which only tell the umask of whoever
 * made the folder (folders that are sticky, as /tmp, keep them); a file that its owner may run may be run by all who
 * may read it, any other by nobody.
 */
export function normalMode(found: Pick<Stats, "mode"> & { isDirectory(): boolean }): number {
  const mode = found.mode & permissionBits;
  if (found.isDirectory()) return (mode & sticky) !== 0 ? mode : mode & ~othersWrite;
  const plain = mode & ~othersWrite & ~0o111;
  return (mode & 0o100) === 0 ? plain : plain | ((plain & 0o444) >> 2);
}

async function stats(path: string): Promise<Stats> {
  try {
    return await lstat(path);
  } catch (cause) {
    if (path.includes("\ufffd")) {
      throw new LibraryError("invalid-input", `Cannot add ${path}: its name is not valid UTF-8`, { cause });
    }
    throw unreadable(path, cause);
  }
}

async function linkTarget(path: string): Promise<string> {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(
      await readlink(path, { encoding: "buffer" }),
    );
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw unreadable(path, cause);
    throw new LibraryError("invalid-input", `Cannot add ${path}: its link's target is not valid UTF-8`, { cause });
  }
}

/** The bytes of a file; fails with `io-error`. */
export async function* readFile(path: string, io: Io): AsyncGenerator<Uint8Array> {
  const file = await open(path, "r").catch((cause: unknown) => {
    throw unreadable(path, cause);
  });
  try {
    for (;;) {
      io.signal.throwIfAborted();
      // A buffer of its own for each read: whoever takes the chunk may keep it
      const { bytesRead, buffer } = await file.read(new Uint8Array(readBytes), 0, readBytes);
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}

function unreadable(path: string, cause: unknown): LibraryError {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "unknown";
  return new LibraryError("io-error", `Cannot read ${path}: ${code}`, { cause });
}
