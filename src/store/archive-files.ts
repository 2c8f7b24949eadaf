import { constants } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { open } from "node:fs/promises";
import type { Content, Io } from "../core/content.ts";
import { NotFoundError, UnsupportedError } from "../core/error.ts";
import type { Random } from "../core/ports.ts";
import { layoutFile } from "../oci/layout.ts";
import type { FileLocation } from "../oci/reference.ts";
import { detectCompression } from "../tar/codec.ts";
import { type DecompressionLimits, decompress } from "./decompress.ts";
import { rangeStream, readRange } from "./file-content.ts";
import { errorCode, fileError } from "./file-error.ts";
import type { LayoutFiles } from "./layout-files.ts";
import { malformedArchive } from "./tar-header.ts";
import { readTarTable, type TarEntry } from "./tar-table.ts";

/** What messages call the archive, and bounds of what it may unpack to. */
export interface ArchiveFilesOptions extends DecompressionLimits {
  readonly name: string;
  /** Where compressed archives are unpacked to; the system's folder for temporary files by default. */
  readonly temporaryFolder?: string | undefined;
}

interface OpenArchive {
  readonly handle: FileHandle;
  readonly table: ReadonlyMap<string, TarEntry>;
  close(): Promise<void>;
}

/** The files of a layout in a tar, plain or compressed; opened when the first is asked for. */
export class ArchiveFiles implements LayoutFiles {
  readonly name: string;
  readonly location: FileLocation;
  readonly #path: string;
  readonly #random: Random;
  readonly #options: ArchiveFilesOptions;
  #opening: Promise<OpenArchive> | undefined;

  constructor(path: string, random: Random, options: ArchiveFilesOptions) {
    this.#path = path;
    this.#random = random;
    this.#options = options;
    this.name = options.name;
    this.location = { kind: "archive", path };
  }

  async open(path: string, io: Io): Promise<Content | undefined> {
    const { table, handle } = await this.#archive(io);
    const entry = table.get(path);
    if (entry === undefined) return undefined;
    const { size } = entry;
    return {
      size,
      stream: async (offset = 0) =>
        rangeStream(handle, entry.offset + offset, size - offset, this.name, async () => {}),
    };
  }

  /** An open archive is taken not to change. */
  async version(io: Io): Promise<string> {
    await this.#archive(io);
    return "archive";
  }

  async close(): Promise<void> {
    const opening = this.#opening;
    this.#opening = undefined;
    const archive = await opening?.catch(() => undefined); // The failure was told to whoever asked
    await archive?.close();
  }

  async #archive(io: Io): Promise<OpenArchive> {
    this.#opening ??= this.#open(io);
    return this.#opening;
  }

  async #open(io: Io): Promise<OpenArchive> {
    const file = await this.#openFile();
    let close = (): Promise<void> => file.handle.close();
    try {
      let { handle, size } = file;
      const compression = detectCompression(await readRange(handle, 0, Math.min(size, 4), this.name));
      if (compression !== "none") {
        const { temporaryFolder: folder, maxBytes, maxRatio } = this.#options;
        const limits = { ...(maxBytes ? { maxBytes } : {}), ...(maxRatio ? { maxRatio } : {}) };
        const options = { ...limits, name: this.name, folder, random: this.#random };
        const plain = await decompress(this.#path, compression, options, io);
        await handle.close();
        ({ handle, size } = plain);
        close = () => plain.close();
      }
      const table = await readTarTable(handle, size, this.name, io, (files) => this.#refuseOthers(files));
      return { handle, table, close };
    } catch (error) {
      await close();
      throw error;
    }
  }

  async #openFile(): Promise<{ readonly handle: FileHandle; readonly size: number }> {
    try {
      // Without waiting for a writer where the path is a pipe
      const handle = await open(this.#path, constants.O_RDONLY | constants.O_NONBLOCK);
      let isKept = false;
      try {
        const found = await handle.stat();
        isKept = found.isFile();
        if (isKept) return { handle, size: found.size };
      } finally {
        if (!isKept) await handle.close();
      }
    } catch (cause) {
      if (errorCode(cause) === "ENOENT") {
        throw new NotFoundError(`Cannot open ${this.name}: there is no such file`, { cause });
      }
      throw fileError("read", this.#path, cause);
    }
    throw new NotFoundError(`Cannot open ${this.name}: not a regular file`, {
      hint: `For a layout in a folder, write "oci:${this.#path}"`,
    });
  }

  /** `docker save` of older engines writes another format, with a manifest.json and no layout. */
  #refuseOthers(files: ReadonlyMap<string, TarEntry>): void {
    if (files.has(layoutFile)) return;
    if (!files.has("manifest.json")) throw malformedArchive(this.name, `there is no ${layoutFile} in it`);
    throw new UnsupportedError(`Cannot read ${this.name}: a Docker archive, expected an OCI archive`, {
      code: "unsupported-content",
      hint: `Convert it: "skopeo copy docker-archive:${this.#path} oci-archive:${this.#path}.oci.tar"`,
    });
  }
}
