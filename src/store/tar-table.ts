import type { FileHandle } from "node:fs/promises";
import type { Io } from "../core/content.ts";
import type { LibraryError } from "../core/error.ts";
import { blockBytes, padding, type Refuse, utf8 } from "../tar/fields.ts";
import { readRange } from "./file-content.ts";
import {
  malformedArchive,
  maxNameBytes,
  maxOctalSize,
  parsePaxRecords,
  parseTarHeader,
  type TarHeader,
} from "./tar-header.ts";

/** Where the bytes of a file lie in a tar. */
export interface TarEntry {
  readonly offset: number;
  /** Bytes. */
  readonly size: number;
}

/** Bounds of an archive's table. */
export const tarLimits = {
  /** Bytes of a pax header or a GNU long name. */
  header: 1024 * 1024,
  entries: 250_000,
  /** Bytes of zeros behind the end: GNU tar fills a record, of at most this much in practice. */
  trailer: 16 * 1024 * 1024,
} as const;

/** Headers are read in pieces of this size, so that many small entries cost few reads. */
const windowBytes = 64 * 1024;

/**
 * The regular files of a tar by their paths without `./`, found by seeking from header to header. Accepts ustar, GNU
 * long names and pax; refuses, naming the entry, whatever two readers could take for different things: links, devices,
 * sparse and unknown entries, two entries of one path, paths that leave the archive, pax records that contradict their
 * header, wrong checksums, missing end blocks, and bytes behind the end. Throws `malformed-archive`. Links are refused
 * at the end, when `inspect` has seen the paths of all files and could say what the archive is instead.
 */
export async function readTarTable(
  handle: FileHandle,
  size: number,
  name: string,
  io: Io,
  inspect: (files: ReadonlyMap<string, TarEntry>) => void = () => {},
): Promise<ReadonlyMap<string, TarEntry>> {
  const reader = new TableReader(handle, size, name);
  const files = await reader.table(io);
  inspect(files);
  if (reader.link) throw reader.link;
  return files;
}

const kinds: Readonly<Record<string, string>> = {
  "1": "a hard link",
  "2": "a symbolic link",
  "3": "a device",
  "4": "a device",
  "6": "a named pipe",
  S: "a sparse file",
};

/** What pax and GNU headers say of the entry that follows them. */
interface Extension {
  readonly path?: string | undefined;
  readonly size?: number | undefined;
}

class TableReader {
  /** The refusal of the first link. */
  link: LibraryError | undefined;
  readonly #handle: FileHandle;
  readonly #size: number;
  readonly #name: string;
  readonly #files = new Map<string, TarEntry>();
  readonly #folders = new Set<string>();
  #window: { readonly from: number; readonly bytes: Uint8Array } = { from: 0, bytes: new Uint8Array(0) };

  constructor(handle: FileHandle, size: number, name: string) {
    this.#handle = handle;
    this.#size = size;
    this.#name = name;
  }

  async table(io: Io): Promise<ReadonlyMap<string, TarEntry>> {
    let extension: Extension = {};
    let headers = 0;
    for (let at = 0; ; ) {
      io.signal.throwIfAborted();
      const refuse: Refuse = (problem) => this.#refuse(`${problem} at byte ${at}`);
      const block = await this.#read(at, blockBytes);
      if (block === undefined) return refuse("the archive ends without its end blocks");
      if (isZero(block)) {
        if (extension.path !== undefined || extension.size !== undefined) refuse("a header without its entry");
        await this.#checkEnd(at + blockBytes, refuse);
        return this.#files;
      }
      // An entry takes two headers at most, of which the first extends the second
      if (++headers > 2 * tarLimits.entries) refuse(`more than ${tarLimits.entries} entries`);
      const header = parseTarHeader(block, refuse);
      const offset = at + blockBytes;
      const extended = await this.#extend(header, extension, offset, refuse);
      if (extended) {
        extension = extended;
        at = offset + header.size + padding(header.size);
        continue;
      }
      const { path, bytes } = settle(header, extension, refuse);
      extension = {};
      this.#add(header.type, path, { offset, size: bytes }, refuse);
      at = offset + bytes + padding(bytes);
    }
  }

  /** What the next entry's extension is, if this header is one; else undefined. */
  async #extend(header: TarHeader, before: Extension, offset: number, refuse: Refuse): Promise<Extension | undefined> {
    const { type, size } = header;
    if (type !== "x" && type !== "g" && type !== "L") return undefined;
    if (size > tarLimits.header) refuse(`an extended header of ${size} bytes`);
    const bytes = await this.#read(offset, size);
    if (bytes === undefined) return refuse("an extended header that is cut off");
    if (type === "L") {
      if (before.path !== undefined) refuse("two names of one entry");
      const nul = bytes.indexOf(0);
      const end = nul < 0 ? bytes.byteLength : nul;
      if (bytes.subarray(end).some((byte) => byte !== 0)) refuse("a name with a NUL in it");
      return { ...before, path: utf8(bytes.subarray(0, end), refuse) };
    }
    const records = parsePaxRecords(bytes, refuse);
    for (const key of records.keys()) {
      if (key.startsWith("GNU.sparse.") || key === "linkpath" || key === "hdrcharset") refuse(`a pax record ${key}`);
    }
    const path = records.get("path");
    const sizeRecord = records.get("size");
    if (type === "g") {
      if (path !== undefined || sizeRecord !== undefined) refuse("a global path or size");
      return before;
    }
    if (before.path !== undefined || before.size !== undefined) refuse("two extended headers of one entry");
    if (sizeRecord !== undefined && !/^(?:0|[1-9][0-9]{0,15})$/.test(sizeRecord)) refuse("a malformed size");
    return { path, size: sizeRecord === undefined ? undefined : Number(sizeRecord) };
  }

  #add(type: string, raw: string, entry: TarEntry, refuse: Refuse): void {
    const path = safePath(raw, refuse);
    if (type === "5") {
      if (entry.size !== 0) refuse(`a folder ${quoted(raw)} with content`);
      if (this.#files.has(path)) refuse(`two entries ${quoted(raw)}`);
      this.#folders.add(path);
    } else if (type === "0") {
      if (path === "" || raw.endsWith("/")) refuse(`a file ${quoted(raw)}`);
      if (this.#files.has(path) || this.#folders.has(path)) refuse(`two entries ${quoted(raw)}`);
      if (entry.offset + entry.size > this.#size) refuse(`${quoted(raw)} is cut off`);
      this.#files.set(path, entry);
    } else {
      const kind = kinds[type] ?? `an entry of type ${quoted(type)}`;
      const problem = `${quoted(raw)} is ${kind}, expected a file or a folder`;
      if (type !== "1" && type !== "2") refuse(problem);
      this.link ??= malformedArchive(this.#name, problem);
    }
    if (this.#files.size + this.#folders.size > tarLimits.entries) refuse(`more than ${tarLimits.entries} entries`);
  }

  /** A second block of zeros, then zeros to the end. */
  async #checkEnd(at: number, refuse: Refuse): Promise<void> {
    if (this.#size - at > tarLimits.trailer) refuse("bytes behind the end");
    const second = await this.#read(at, blockBytes);
    if (second === undefined) refuse("the archive ends without its second end block");
    for (let from = at; from < this.#size; from += windowBytes) {
      const rest = await this.#read(from, Math.min(windowBytes, this.#size - from));
      if (rest === undefined || !isZero(rest)) refuse("bytes behind the end");
    }
  }

  /** Undefined where the archive ends before. */
  async #read(at: number, length: number): Promise<Uint8Array | undefined> {
    if (at + length > this.#size) return undefined;
    const { from, bytes } = this.#window;
    if (at >= from && at + length <= from + bytes.byteLength) return bytes.subarray(at - from, at - from + length);
    const wanted = Math.max(length, Math.min(windowBytes, this.#size - at));
    const fresh = await readRange(this.#handle, at, wanted, this.#name);
    this.#window = { from: at, bytes: fresh };
    return fresh.subarray(0, length);
  }

  #refuse(problem: string): never {
    throw malformedArchive(this.#name, problem);
  }
}

/** The entry's path and size: an extension may say what the header cannot hold, and must else say the same. */
function settle(
  header: TarHeader,
  extension: Extension,
  refuse: Refuse,
): { readonly path: string; readonly bytes: number } {
  const path = extension.path ?? header.name;
  if (path !== header.name && new TextEncoder().encode(path).byteLength <= maxNameBytes && isAscii(path)) {
    refuse(`${quoted(path)} extends ${quoted(header.name)}, which is another path`);
  }
  const bytes = extension.size ?? header.size;
  if (bytes !== header.size && bytes <= maxOctalSize) refuse(`${quoted(path)} has two sizes`);
  return { path, bytes };
}

/** The path without `./` and a last `/`; refuses what is not plainly below the archive's root. */
function safePath(raw: string, refuse: Refuse): string {
  const path = raw.replace(/^\.\//, "").replace(/\/$/, "");
  if (path === "" || path === ".") return "";
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  if (/[\u0000-\u001f\u007f\\]/.test(path) || /^[A-Za-z]:/.test(path)) refuse(`the path ${quoted(raw)}`);
  if (path.split("/").some((part) => part === "" || part === "." || part === "..")) refuse(`the path ${quoted(raw)}`);
  return path;
}

function isAscii(text: string): boolean {
  return /^[\u0020-\u007e]*$/.test(text);
}

function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}

function quoted(text: string): string {
  return JSON.stringify(text.slice(0, 200));
}
