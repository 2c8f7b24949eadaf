import { rename, rm, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import type { Content, Io } from "../core/content.ts";
import { LibraryError } from "../core/error.ts";
import type { Random } from "../core/ports.ts";
import type { Node } from "../oci/descriptor.ts";
import { type Digest, hashAlgorithm, splitDigest } from "../oci/digest.ts";
import { blobPath, indexFile, layoutFile } from "../oci/layout.ts";
import type { Manifest } from "../oci/manifest.ts";
import type { FileLocation } from "../oci/reference.ts";
import { padding } from "../tar/fields.ts";
import { type TarEntry, tarEnd, tarHeader } from "../tar/header.ts";
import { removeDead } from "./archive-remains.ts";
import type { CommitEntry, Outcome, Step, Target, Writing } from "./backend.ts";
import { syncPath } from "./durable.ts";
import { errorCode, fileError, namingFile } from "./file-error.ts";
import { layoutMarker } from "./layout-create.ts";
import { checkExpectations, indexChanges } from "./layout-entries.ts";
import { changeIndex, emptyLayoutIndex, serializeLayoutIndex } from "./layout-index.ts";
import { pump } from "./pump.ts";
import { openTarFile, type TarFile } from "./tar-file.ts";

/** What may be said about an archive that is written. */
export interface ArchiveTargetOptions {
  /** What messages call it; `oci-archive:` and the path by default. */
  readonly name?: string;
}

/**
 * An OCI layout written as one tar, in one pass: nothing is at the path before the commit, or what was there before.
 * Equal graphs and tags give equal bytes: entries are sorted, owners and times zero. A path that ends in `.gz`, `.tgz`
 * or `.zst` is compressed, with equal bytes by the same build of the program only.
 */
export class ArchiveTarget implements Target {
  readonly name: string;
  readonly location: FileLocation;
  readonly order = "sorted";
  readonly #path: string;
  readonly #random: Random;

  constructor(path: string, ports: { readonly random: Random }, options: ArchiveTargetOptions = {}) {
    this.#path = path;
    this.#random = ports.random;
    this.name = options.name ?? `oci-archive:${path}`;
    this.location = { kind: "archive", path };
  }

  async begin(io: Io, plan?: readonly Step[]): Promise<Writing> {
    if (plan === undefined) throw new LibraryError("internal", `Cannot write ${this.name}: begun without a plan`);
    await this.#refuseFolder();
    const manifests = plan.flatMap(({ manifest }) => manifest ?? []);
    const temporary = `${resolve(this.#path)}.${this.#random.hex(8)}.tmp`;
    const file = await openTarFile(temporary, this.#path);
    try {
      await removeDead(resolve(this.#path), temporary, io);
      io.signal.throwIfAborted();
    } catch (error) {
      await file.discard();
      await rm(temporary, { force: true });
      throw error;
    }
    return new ArchiveWriting(file, { name: this.name, path: resolve(this.#path), temporary, manifests }, io);
  }

  async #refuseFolder(): Promise<void> {
    const found = await stat(this.#path).catch((cause) => {
      if (errorCode(cause) === "ENOENT") return undefined;
      throw fileError("write", this.#path, cause);
    });
    if (!found || found.isFile()) return;
    throw new LibraryError("invalid-input", `Cannot write ${this.name}: not a regular file`, {
      hint: found.isDirectory() ? `For a layout in a folder, write "oci:${this.#path}"` : undefined,
    });
  }
}

interface ArchivePlace {
  readonly name: string;
  readonly path: string;
  readonly temporary: string;
  readonly manifests: readonly Manifest[];
}

class ArchiveWriting implements Writing {
  readonly #file: TarFile;
  readonly #place: ArchivePlace;
  readonly #io: Io;
  readonly #folders = new Set<string>();
  #last: Digest | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #failure: { readonly error: unknown } | undefined;

  constructor(file: TarFile, place: ArchivePlace, io: Io) {
    this.#file = file;
    this.#place = place;
    this.#io = io;
  }

  /** Nothing is in an archive that is just being written. */
  async has(): Promise<boolean> {
    return false;
  }

  async write(node: Node, open: () => Promise<Content>): Promise<Outcome> {
    return this.#inTurn<Outcome>(async () => {
      const { digest, size } = node.descriptor;
      hashAlgorithm(digest);
      if (this.#last !== undefined && digest <= this.#last) {
        throw new LibraryError(
          "internal",
          `Cannot write ${digest} to ${this.#place.name}: written after ${this.#last}`,
        );
      }
      this.#last = digest;
      await this.#addFolders(digest);
      await this.#file.write(tarHeader(file(blobPath(digest), size)));
      await pump(open, node.descriptor, (chunk) => this.#file.write(chunk), this.#io);
      await this.#file.write(new Uint8Array(padding(size)));
      return "sent";
    });
  }

  async commit(entries: readonly CommitEntry[]): Promise<void> {
    await this.#inTurn(async () => {
      const { name, path, temporary, manifests } = this.#place;
      this.#io.signal.throwIfAborted();
      checkExpectations(emptyLayoutIndex, entries, name);
      if (this.#folders.size === 0) await this.#addFolder("blobs/");
      const index = changeIndex(emptyLayoutIndex, indexChanges(entries, manifests));
      await this.#addFile(indexFile, serializeLayoutIndex(index, indexFile));
      await this.#addFile(layoutFile, layoutMarker);
      await this.#file.write(tarEnd);
      await this.#file.end();
      await namingFile("write", path, () => rename(temporary, path));
      await syncPath(dirname(path));
    });
  }

  async abort(): Promise<void> {
    this.#failure ??= {
      error: new LibraryError("internal", `Cannot write ${this.#place.name}: the writing was ended`),
    };
    await this.#turn.catch(() => {}); // Told to whoever wrote
    await this.#file.discard();
    await rm(this.#place.temporary, { force: true });
  }

  /** One at a time, and nothing more after a failure: half an entry cannot be taken back. */
  async #inTurn<T>(body: () => Promise<T>): Promise<T> {
    const before = this.#turn;
    const run = (async () => {
      await before.catch(() => {}); // Kept in #failure
      if (this.#failure) throw this.#failure.error;
      try {
        return await body();
      } catch (error) {
        this.#failure ??= { error };
        throw error;
      }
    })();
    this.#turn = run.catch(() => {});
    return run;
  }

  async #addFolders(digest: Digest): Promise<void> {
    for (const folder of ["blobs/", `blobs/${splitDigest(digest).algorithm}/`]) {
      if (!this.#folders.has(folder)) await this.#addFolder(folder);
    }
  }

  async #addFolder(folder: string): Promise<void> {
    this.#folders.add(folder);
    await this.#file.write(tarHeader({ ...file(folder, 0), type: "directory", mode: 0o755 }));
  }

  async #addFile(name: string, bytes: Uint8Array): Promise<void> {
    await this.#file.write(tarHeader(file(name, bytes.byteLength)));
    await this.#file.write(bytes);
    await this.#file.write(new Uint8Array(padding(bytes.byteLength)));
  }
}

/** An entry that depends on nothing but its name and size. */
function file(path: string, size: number): TarEntry {
  return { path, type: "file", mode: 0o644, uid: 0, gid: 0, mtime: 0, size };
}
