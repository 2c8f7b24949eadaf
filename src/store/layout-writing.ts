import { lstat, mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Content, Io } from "../core/content.ts";
import { isLibraryError, LibraryError } from "../core/error.ts";
import { maxDocumentBytes } from "../core/json.ts";
import type { Lock } from "../core/ports.ts";
import type { Descriptor, Node } from "../oci/descriptor.ts";
import { type Digest, hashAlgorithm, splitDigest } from "../oci/digest.ts";
import { blobPath, indexFile } from "../oci/layout.ts";
import { type Manifest, parseManifest } from "../oci/manifest.ts";
import type { CommitEntry, Outcome, Writing } from "./backend.ts";
import { moveDurably, syncPath } from "./durable.ts";
import { fileContent } from "./file-content.ts";
import { errorCode, fileError, namingFile } from "./file-error.ts";
import type { FolderFiles } from "./folder-files.ts";
import { createLayout, removeLayoutFolder } from "./layout-create.ts";
import { checkExpectations, indexChanges } from "./layout-entries.ts";
import { changeIndex, type LayoutIndex, serializeLayoutIndex } from "./layout-index.ts";
import type { LayoutReader } from "./layout-reader.ts";
import { type Staged, type Staging, writeDurably } from "./staging.ts";
import { bytesContent, check, collect } from "./store.ts";

/** What a writing needs of the layout that it is for. */
export interface LayoutPlace {
  readonly root: string;
  readonly files: FolderFiles;
  readonly reader: LayoutReader;
  readonly lock: Lock;
}

/** One transaction on a layout: blobs lie under temporary names until the commit, which shows them and then the entries. */
export class LayoutWriting implements Writing {
  readonly #place: LayoutPlace;
  readonly #staging: Staging;
  readonly #io: Io;
  readonly #stop = new AbortController();
  readonly #staged = new Map<Digest, Staged>();
  readonly #manifests = new Map<Digest, Manifest>();
  readonly #running = new Map<Digest, Promise<Outcome>>();
  /** All that was written or found there: what the commit's entries may reach. */
  readonly #promised = new Map<Digest, Descriptor>();

  readonly #made: string | undefined;

  /** `made` is the topmost folder that was made for this writing, if any: an abort takes it back. */
  constructor(place: LayoutPlace, staging: Staging, io: Io, made: string | undefined) {
    this.#place = place;
    this.#staging = staging;
    this.#made = made;
    this.#io = { signal: AbortSignal.any([io.signal, this.#stop.signal]), emit: (event) => io.emit(event) };
  }

  async has(node: Node): Promise<boolean> {
    const { descriptor } = node;
    if (this.#staged.has(descriptor.digest)) return true;
    if ((await this.#present(descriptor)) === undefined) return false;
    this.#promised.set(descriptor.digest, descriptor);
    return true;
  }

  async write(node: Node, open: () => Promise<Content>): Promise<Outcome> {
    const { digest } = node.descriptor;
    const running = this.#running.get(digest);
    if (running) return running.then(() => "present");
    const writes = this.#write(node, open);
    this.#running.set(digest, writes);
    try {
      const outcome = await writes;
      this.#promised.set(digest, node.descriptor);
      return outcome;
    } finally {
      this.#running.delete(digest);
    }
  }

  async commit(entries: readonly CommitEntry[]): Promise<void> {
    await Promise.all(this.#running.values());
    for (const { manifest } of entries) {
      const { descriptor, bytes } = manifest;
      await this.write({ kind: "manifest", descriptor }, async () => bytesContent(bytes));
    }
    await createLayout(this.#place.root, this.#staging);
    // Before anything shows; asked again under the lock, where the answer counts
    checkExpectations(await this.#place.reader.index(this.#io), entries, this.#place.reader.name);
    await this.#showBlobs();
    const changes = indexChanges(entries, this.#manifests.values());
    if (changes.length > 0) {
      await changeLayoutIndex(this.#place, this.#staging, this.#io, async (index) => {
        checkExpectations(index, entries, this.#place.reader.name);
        await this.#checkPromised();
        return changeIndex(index, changes);
      });
    }
    await this.#staging.tidy();
  }

  async abort({ keepPartial }: { readonly keepPartial: boolean }): Promise<void> {
    this.#stop.abort(new LibraryError("interrupted", `Cannot write ${this.#place.reader.name}: the writing was ended`));
    await Promise.allSettled(this.#running.values());
    await this.#staging.discard(this.#staged, keepPartial);
    this.#staged.clear();
    if (this.#made !== undefined) await removeLayoutFolder(this.#place.root, this.#made);
  }

  async #write(node: Node, open: () => Promise<Content>): Promise<Outcome> {
    this.#io.signal.throwIfAborted();
    const { descriptor, kind } = node;
    hashAlgorithm(descriptor.digest);
    if (this.#staged.has(descriptor.digest)) return "present";
    if (kind === "manifest" && descriptor.size > maxDocumentBytes) throw tooLarge(descriptor);
    const present = await this.#present(descriptor);
    if (present && (kind === "blob" || (await this.#noteFile(descriptor, present)))) return "present";
    const staged = await this.#staging.stage(descriptor, open, this.#io);
    this.#staged.set(descriptor.digest, staged);
    if (kind === "manifest") await this.#note(descriptor, fileContent(staged.path, descriptor.size));
    return staged.linked ? "linked" : "sent";
  }

  /** The blob as it lies in the layout, if it has the right size. */
  async #present({ digest, size }: Descriptor): Promise<Content | undefined> {
    const content = await this.#place.files.open(blobPath(digest));
    return content?.size === size ? content : undefined;
  }

  /** What was there may have been removed since; nothing is removed by this program while the lock is held. */
  async #checkPromised(): Promise<void> {
    for (const descriptor of this.#promised.values()) {
      if (await this.#present(descriptor)) continue;
      const { name } = this.#place.reader;
      throw new LibraryError(
        "blob-missing",
        `Cannot write ${name}: ${descriptor.digest} was removed by another writer meanwhile`,
        { hint: "Run the same command again: it brings what is missing" },
      );
    }
  }

  /** Whether a manifest that is there already is whole; then it is noted. */
  async #noteFile(descriptor: Descriptor, content: Content): Promise<boolean> {
    try {
      await this.#note(descriptor, content);
      return true;
    } catch (error) {
      if (isLibraryError(error, "digest-mismatch") || isLibraryError(error, "size-mismatch")) return false;
      throw error;
    }
  }

  /** Keeps what the manifest says, for the entries of the commit. */
  async #note(descriptor: Descriptor, content: Content): Promise<void> {
    if (this.#manifests.has(descriptor.digest)) return;
    const bytes = await collect(await content.stream(), maxDocumentBytes, descriptor.digest);
    check(bytes, descriptor, `${descriptor.digest} in ${this.#place.reader.name}`);
    const value = parseManifest(bytes, descriptor.mediaType, descriptor.digest);
    this.#manifests.set(descriptor.digest, { descriptor, bytes, value });
  }

  async #showBlobs(): Promise<void> {
    if (this.#staged.size === 0) return;
    const { root } = this.#place;
    const algorithms = new Set([...this.#staged.keys()].map((digest) => splitDigest(digest).algorithm));
    const folders = ["blobs", ...[...algorithms].map((algorithm) => `blobs/${algorithm}`)];
    for (const folder of folders) await makeFolder(join(root, folder));
    const moves = [...this.#staged].map(([digest, { path }]) => ({ from: path, to: join(root, blobPath(digest)) }));
    await moveDurably(moves, [...folders.reverse().map((folder) => join(root, folder)), root]);
    this.#staged.clear();
  }
}

/**
 * index.json is what `change` makes of it, durably, while no other writer is at it; then, still under the lock, `settle`
 * runs with what index.json says by then.
 */
export async function changeLayoutIndex(
  place: LayoutPlace,
  staging: Staging,
  io: Io,
  change: (index: LayoutIndex) => LayoutIndex | Promise<LayoutIndex>,
  settle?: (index: LayoutIndex) => Promise<void>,
): Promise<void> {
  const { root, reader, lock } = place;
  await lock.exclusive(join(root, ".lock"), io, async () => {
    const before = await reader.index(io, true);
    const after = await change(before);
    if (after !== before) await replaceIndex(root, staging, after);
    await settle?.(after);
  });
}

async function replaceIndex(root: string, staging: Staging, index: LayoutIndex): Promise<void> {
  const path = join(root, indexFile);
  const temporary = await writeDurably(staging, serializeLayoutIndex(index, path), indexFile);
  try {
    await namingFile("write", path, () => rename(temporary, path));
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {}); // Removed as stale in a week; the first failure is told
    throw error;
  }
  await syncPath(root);
}

/** Makes a folder unless it is there; a symbolic link in its place is refused. */
async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (cause) {
    if (errorCode(cause) !== "EEXIST") throw fileError("write", path, cause);
    if ((await lstat(path)).isDirectory()) return;
    throw new LibraryError("malformed-content", `Cannot write ${path}: it is no folder`);
  }
}

function tooLarge({ digest, size }: Descriptor): LibraryError {
  return new LibraryError(
    "limit-exceeded",
    `Cannot write ${digest}: ${size} bytes, expected at most ${maxDocumentBytes} of a manifest`,
  );
}
