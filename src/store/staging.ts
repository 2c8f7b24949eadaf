import { constants, readFileSync, unlinkSync, writeFileSync } from "node:fs";
import { copyFile, type FileHandle, link, lstat, mkdir, open, readdir, rename, rmdir } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { Content, Io } from "../core/content.ts";
import { isLibraryError } from "../core/error.ts";
import { isExhausted } from "../core/exhausted.ts";
import { hexOf, startHash } from "../core/hashing.ts";
import type { Hash, Random } from "../core/ports.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import { type Digest, hashAlgorithm, splitDigest } from "../oci/digest.ts";
import { syncPath } from "./durable.ts";
import { fileContent } from "./file-content.ts";
import { errorCode, fileError, namingFile } from "./file-error.ts";
import { checkHex, opened, type Progress, pump, pumpWhole, sizeMismatch } from "./pump.ts";

/** Blobs below this are gathered in memory and written in one piece. */
const smallBytes = 1024 * 1024;

const staleMs = 7 * 24 * 60 * 60 * 1000;

/** How often a broken `saveTo` is taken up again without a byte gained. */
const maxIdleRetries = 3;

/** Errors of link(2) that say that these two places cannot share a file. */
const unlinkable: readonly string[] = [
  ...["EXDEV", "EPERM", "EACCES", "EMLINK", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EINVAL"],
];

/** A blob under a temporary name: checked, not yet durable. */
export interface Staged {
  readonly path: string;
  /** The file is the source's own, under one more name. */
  readonly linked: boolean;
}

/**
 * Temporary files of one writing, in a folder that other tools ignore and that lies on the same file system as what
 * they become. What `stage` resolves to has the descriptor's size and digest; wrong bytes are removed at once.
 */
export class Staging {
  readonly folder: string;
  readonly #hash: Hash;
  readonly #random: Random;
  readonly #partial = new Map<Digest, string>();

  constructor(folder: string, ports: { readonly hash: Hash; readonly random: Random }) {
    this.folder = folder;
    this.#hash = ports.hash;
    this.#random = ports.random;
  }

  async stage(descriptor: Descriptor, open: () => Promise<Content>, io: Io): Promise<Staged> {
    const first = await opened(open, descriptor);
    if (first.file !== undefined) return this.#adopt(first.file, descriptor, io);
    let next: Content | undefined = first;
    const again = async (): Promise<Content> => {
      const content = next ?? (await opened(open, descriptor));
      next = undefined;
      return content;
    };
    if (descriptor.size < smallBytes) return this.#stageSmall(descriptor, again, io);
    const kept = await this.#claimPartial(descriptor);
    try {
      return await this.#stageLarge(descriptor, again, kept, first.saveTo !== undefined && first.size >= 0, io);
    } catch (error) {
      // What an earlier run left may have been wrong, so the content gets a chance from its first byte
      if (kept === undefined || !isLibraryError(error, "digest-mismatch")) throw error;
      return this.#stageLarge(descriptor, open, undefined, first.saveTo !== undefined && first.size >= 0, io);
    }
  }

  /** Bytes that were checked, under a temporary name. */
  async stageBytes(bytes: Uint8Array, name: string): Promise<string> {
    return this.#made(name, async (path) => writeFileSync(path, bytes, { flag: "wx" }));
  }

  /** Removes what was staged; with `keep`, whole or partial blobs stay for a later `stage` of the same digest. */
  async discard(staged: ReadonlyMap<Digest, Staged>, keep: boolean): Promise<void> {
    const left = new Map(this.#partial);
    for (const [digest, { path }] of staged) left.set(digest, path);
    this.#partial.clear();
    for (const [digest, path] of left) {
      if (!keep) remove(path);
      else await rename(path, this.#partPath(digest)).catch(() => remove(path));
    }
    await this.tidy();
  }

  /** Removes the folder, if nothing is in it. */
  async tidy(): Promise<void> {
    await rmdir(this.folder).catch(() => {}); // Others' files are in it, or it is gone already
  }

  /** Removes what has lain here for longer than `ageMs`, a week by default: its writer is taken to be dead. */
  async removeStale(ageMs = staleMs): Promise<void> {
    const names = await readdir(this.folder).catch(() => []);
    if (names.length === 0) return;
    const probe = await this.stageBytes(new Uint8Array(0), "probe");
    const now = (await lstat(probe)).ctimeMs; // The file system's own clock
    remove(probe);
    for (const name of names.filter((found) => /\.(?:[0-9a-f]{16}\.tmp|part)$/.test(found))) {
      const path = join(this.folder, name);
      const found = await lstat(path).catch(() => undefined);
      if (found?.isFile() && now - found.ctimeMs > ageMs) remove(path);
    }
  }

  async #stageSmall(descriptor: Descriptor, open: () => Promise<Content>, io: Io): Promise<Staged> {
    const bytes = await pumpWhole(open, descriptor, io);
    return { path: await this.stageBytes(bytes, blobName(descriptor.digest)), linked: false };
  }

  async #stageLarge(
    descriptor: Descriptor,
    open: () => Promise<Content>,
    kept: string | undefined,
    canSave: boolean,
    io: Io,
  ): Promise<Staged> {
    const { digest } = descriptor;
    const path = kept ?? (await this.stageBytes(new Uint8Array(0), blobName(digest)));
    this.#partial.set(digest, path);
    try {
      if (canSave) await this.#save(path, descriptor, open, io);
      else await this.#pour(path, descriptor, open, io);
    } catch (error) {
      if (isLibraryError(error, "digest-mismatch") || isLibraryError(error, "size-mismatch")) {
        this.#partial.delete(digest);
        remove(path);
      }
      throw error;
    }
    this.#partial.delete(digest);
    return { path, linked: false };
  }

  /** Hashes while it writes. */
  async #pour(path: string, descriptor: Descriptor, open: () => Promise<Content>, io: Io): Promise<void> {
    await withFile(path, async (handle) => {
      const progress = await hashPrefix(path, descriptor, io);
      let at = progress.offset;
      const sink = async (chunk: Uint8Array): Promise<void> => {
        const from = at;
        at += chunk.byteLength;
        await namingFile("write", path, () => writeAll(handle, chunk, from));
      };
      await pump(open, descriptor, sink, io, progress);
    });
  }

  /** Lets the runtime write the file, then hashes it beside the main thread. */
  async #save(path: string, descriptor: Descriptor, open: () => Promise<Content>, io: Io): Promise<void> {
    for (let idle = 0; ; ) {
      const offset = await sizeOf(path);
      if (offset >= descriptor.size) break;
      const content = await open();
      try {
        if (content.saveTo) await namingFile("write", path, async () => content.saveTo?.(path, offset));
        else return await this.#pour(path, descriptor, async () => content, io);
        break;
      } catch (error) {
        idle = (await sizeOf(path)) > offset ? 0 : idle + 1;
        const isHopeless = !isLibraryError(error, "network-error") || isExhausted(error);
        if (isHopeless || idle > maxIdleRetries) throw error;
        io.emit({ kind: "debug", message: `${descriptor.digest}: going on in ${path} (${error.message})` });
      }
    }
    await this.#checkFile(path, descriptor, io);
  }

  /** Takes over a file: by one more name where it is a blob of another layout, else by a copy. */
  async #adopt(file: string, descriptor: Descriptor, io: Io): Promise<Staged> {
    let linked = isBlobFile(file, descriptor.digest);
    const path = await this.#made(blobName(descriptor.digest), async (path) => {
      if (linked) {
        try {
          return await link(file, path);
        } catch (cause) {
          if (!unlinkable.includes(errorCode(cause) ?? "")) throw cause;
          linked = false;
        }
      }
      await copyFile(file, path, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
    });
    this.#partial.set(descriptor.digest, path);
    try {
      await this.#checkFile(path, descriptor, io);
    } catch (error) {
      remove(path);
      throw error;
    } finally {
      this.#partial.delete(descriptor.digest);
    }
    return { path, linked };
  }

  async #checkFile(path: string, descriptor: Descriptor, io: Io): Promise<void> {
    const size = await sizeOf(path);
    if (size !== descriptor.size) throw sizeMismatch(descriptor, String(size));
    const algorithm = hashAlgorithm(descriptor.digest);
    const hex = size < smallBytes ? hexOf(algorithm, readFileSync(path)) : this.#hash.file(path, algorithm, io.signal);
    checkHex(descriptor, await namingFile("read", path, async () => hex));
  }

  /** A file that an earlier writing kept, now this one's alone: renaming is what takes it. */
  async #claimPartial({ digest, size }: Descriptor): Promise<string | undefined> {
    const path = this.#partial.get(digest) ?? this.#newPath(blobName(digest));
    if (!this.#partial.delete(digest)) {
      try {
        await rename(this.#partPath(digest), path);
      } catch {
        return undefined; // The usual case: there is none
      }
    }
    if ((await sizeOf(path)) <= size) return path;
    remove(path);
    return undefined;
  }

  /** Runs `make` with a new path in the folder, which another writer's `tidy` may have removed meanwhile. */
  async #made(name: string, make: (path: string) => Promise<void>): Promise<string> {
    const path = this.#newPath(name);
    for (let attempt = 0; ; attempt++) {
      try {
        await make(path);
        return path;
      } catch (cause) {
        remove(path); // A full disk leaves a file that is cut off
        if (errorCode(cause) !== "ENOENT" || attempt === 5) throw fileError("write", path, cause);
        await namingFile("write", this.folder, () => mkdir(this.folder, { recursive: true }));
      }
    }
  }

  #newPath(name: string): string {
    return join(this.folder, `${name}.${this.#random.hex(8)}.tmp`);
  }

  #partPath(digest: Digest): string {
    return join(this.folder, `${blobName(digest)}.part`);
  }
}

/** Writes a new file with these bytes and syncs it. */
export async function writeDurably(staging: Staging, bytes: Uint8Array, name: string): Promise<string> {
  const path = await staging.stageBytes(bytes, name);
  await syncPath(path);
  return path;
}

/** Writes all of `bytes` at `position`. */
export async function writeAll(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let at = 0; at < bytes.byteLength; ) {
    const { bytesWritten } = await handle.write(bytes, at, bytes.byteLength - at, position + at);
    at += bytesWritten;
  }
}

async function withFile(path: string, body: (handle: FileHandle) => Promise<void>): Promise<void> {
  const handle = await namingFile("write", path, () => open(path, "r+"));
  try {
    await body(handle);
  } finally {
    await handle.close();
  }
}

async function hashPrefix(path: string, descriptor: Descriptor, io: Io): Promise<Progress> {
  const hash = startHash(hashAlgorithm(descriptor.digest));
  const offset = await sizeOf(path);
  if (offset === 0) return { offset, hash };
  for await (const chunk of await fileContent(path, offset).stream()) {
    io.signal.throwIfAborted();
    hash.update(chunk);
  }
  return { offset, hash };
}

async function sizeOf(path: string): Promise<number> {
  return namingFile("read", path, async () => (await lstat(path)).size);
}

function blobName(digest: Digest): string {
  const { algorithm, encoded } = splitDigest(digest);
  return `${algorithm}-${encoded}`;
}

/** Whether the file is named as the blob of a layout: others may be changed in place later, and are not shared. */
function isBlobFile(file: string, digest: Digest): boolean {
  const { algorithm, encoded } = splitDigest(digest);
  return basename(file) === encoded && basename(dirname(file)) === algorithm;
}

function remove(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // Gone already, or removed as stale in a week
  }
}
