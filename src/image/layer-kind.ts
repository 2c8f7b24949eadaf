import { open, stat } from "node:fs/promises";
import { resolve } from "node:path";
import { isLibraryError, LibraryError } from "../core/error.ts";
import { detectCompression } from "../tar/codec.ts";
import { blockBytes, checkSum } from "../tar/fields.ts";

/**
 * What lies at `path`, counted from `cwd`, looks like a layer by its first 512 bytes: a folder, a tar, or something
 * packed with gzip or zstd. Throws `invalid-input` where it does not, so that nothing needs to be begun for it.
 */
export async function requireLayerKind(path: string, cwd: string): Promise<void> {
  const file = resolve(cwd, path);
  const found = await stat(file).catch(async (cause: unknown) => {
    const problem = `Cannot add layer ${path}: there is no such file or folder`;
    throw new LibraryError("invalid-input", problem, { hint: await slashHint(path, cwd), cause });
  });
  if (found.isDirectory()) return;
  if (found.isFile()) {
    const block = await firstBlock(file, path);
    if (detectCompression(block) !== "none" || isTarBlock(block)) return;
  }
  throw new LibraryError("invalid-input", `Cannot add layer ${path}: it is neither a folder nor a tar`, {
    hint: 'Put it into a folder, and give that: "--layer FOLDER:/prefix"',
  });
}

/** `dist:app` where there is a `dist`: the prefix lacks its slash. */
async function slashHint(path: string, cwd: string): Promise<string | undefined> {
  const colon = path.lastIndexOf(":");
  if (colon <= 0 || colon === path.length - 1) return undefined;
  const there = await stat(resolve(cwd, path.slice(0, colon))).then(
    () => true,
    () => false,
  );
  return there
    ? `Write the prefix as /${path.slice(colon + 1)}: "${path.slice(0, colon)}:/${path.slice(colon + 1)}"`
    : undefined;
}

/** A header whose checksum is right (version 7 has no magic number), or the zeros that end a tar without entries. */
function isTarBlock(block: Uint8Array): boolean {
  if (block.byteLength < blockBytes) return false;
  if (block.every((byte) => byte === 0)) return true;
  try {
    checkSum(block, (problem) => {
      throw new LibraryError("malformed-archive", problem);
    });
    return true;
  } catch (error) {
    if (isLibraryError(error, "malformed-archive")) return false;
    throw error;
  }
}

async function firstBlock(file: string, path: string): Promise<Uint8Array> {
  try {
    const opened = await open(file, "r");
    try {
      const { bytesRead, buffer } = await opened.read(new Uint8Array(blockBytes), 0, blockBytes, 0);
      return buffer.subarray(0, bytesRead);
    } finally {
      await opened.close();
    }
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "unknown";
    throw new LibraryError("io-error", `Cannot read layer ${path}: ${code}`, { cause });
  }
}
