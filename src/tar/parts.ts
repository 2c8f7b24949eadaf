import { LibraryError } from "../core/error.ts";
import { ByteReader } from "./byte-reader.ts";
import {
  blockBytes,
  checkSum,
  latin1,
  numberField,
  padding,
  paxRecords,
  type Refuse,
  untilNull,
  utf8,
} from "./fields.ts";
import type { TarEntry } from "./header.ts";

/** An entry of a tar as read: its fields, those of its PAX and GNU headers applied. */
export interface TarHead extends Omit<TarEntry, "type"> {
  /** `other` for types that a layer has no use for, as GNU's sparse files. */
  readonly type: TarEntry["type"] | "other";
}

/** What a tar is made of, in order: an entry, then the bytes of its content, none for padding. */
export type TarPart = { readonly entry: TarHead } | { readonly bytes: Uint8Array };

/** The most bytes of one PAX or GNU long name header. */
const maxExtensionBytes = 1024 * 1024;
const types: Readonly<Record<string, TarEntry["type"]>> = {
  "\0": "file",
  "0": "file",
  "7": "file",
  "1": "link",
  "2": "symlink",
  "3": "character-device",
  "4": "block-device",
  "5": "directory",
  "6": "fifo",
};
type Records = ReadonlyMap<string, Uint8Array>;

/**
 * Reads a whole tar (ustar, PAX, GNU and version 7), streaming. Throws `malformed-archive` for what is no tar, is cut
 * off, or names things in other than UTF-8; bytes after the end are passed over, as every reader does.
 */
export async function* tarParts(source: AsyncIterable<Uint8Array>, name: string): AsyncGenerator<TarPart> {
  const reader = new ByteReader(source, name);
  const refuse = refuser(name);
  if (!(await reader.more())) refuse("it is empty");
  let global: Records = new Map();
  let local: Records = new Map();
  while (await reader.more()) {
    const block = await reader.bytes(blockBytes);
    if (block.every((byte) => byte === 0)) break;
    checkSum(block, refuse);
    const flag = String.fromCharCode(block[156] ?? 0);
    const size = numberField(block, 124, 12, refuse);
    if (flag === "x" || flag === "g" || flag === "L" || flag === "K") {
      if (size > maxExtensionBytes) refuse(`a header of ${size} bytes`);
      const body = (await reader.bytes(size + padding(size))).subarray(0, size);
      if (flag === "g") global = new Map([...global, ...records(body, refuse)]);
      else if (flag === "x") local = new Map([...local, ...records(body, refuse)]);
      else local = new Map([...local, [flag === "L" ? "path" : "linkpath", untilNull(body)]]);
      continue;
    }
    const entry = head(block, flag, size, new Map([...global, ...local]), refuse);
    local = new Map();
    yield { entry };
    for await (const bytes of reader.take(entry.size)) yield { bytes };
    await reader.bytes(padding(entry.size));
  }
  for await (const _ of reader.rest()) yield { bytes: new Uint8Array(0) };
}

/** Passes the bytes of a tar on, and throws `malformed-archive` at their end or before where they are no whole tar. */
export async function* checkedTar(source: AsyncIterable<Uint8Array>, name: string): AsyncGenerator<Uint8Array> {
  const seen: Uint8Array[] = [];
  const tapped = async function* (): AsyncGenerator<Uint8Array> {
    for await (const chunk of source) {
      seen.push(chunk);
      yield chunk;
    }
  };
  for await (const _ of tarParts(tapped(), name)) yield* seen.splice(0);
  yield* seen;
}

/** PAX records that the fields of an entry say. */
const ownRecords = new Set(["path", "linkpath", "size", "uid", "gid", "mtime", "uname", "gname", "comment"]);

function head(block: Uint8Array, flag: string, size: number, pax: Records, refuse: Refuse): TarHead {
  const isUstar = latin1(block.subarray(257, 263)) === "ustar\0";
  const prefix = isUstar ? field(block, 345, 155, refuse) : "";
  const ownName = field(block, 0, 100, refuse);
  const said = (key: string, fallback: () => string): string => {
    const value = pax.get(key);
    return value === undefined ? fallback() : utf8(value, refuse);
  };
  const counted = (key: string, at: number, length: number): number => {
    const value = pax.get(key);
    return value === undefined ? numberField(block, at, length, refuse) : integer(utf8(value, refuse), key, refuse);
  };
  const path = said("path", () => (prefix === "" ? ownName : `${prefix}/${ownName}`));
  const type = types[flag] ?? "other";
  const sparse = [...pax.keys()].some((key) => key.startsWith("GNU.sparse."));
  const length = pax.has("size") ? counted("size", 124, 12) : size;
  return {
    path,
    // Tars of version 7 mark a folder by the end of its name
    type: sparse ? "other" : type === "file" && path.endsWith("/") ? "directory" : type,
    mode: numberField(block, 100, 8, refuse),
    uid: counted("uid", 108, 8),
    gid: counted("gid", 116, 8),
    // Other tools announce the size of what a hard link names; no content follows (POSIX.1-2001, "typeflag")
    size: type === "file" || type === "other" ? length : 0,
    mtime: counted("mtime", 136, 12),
    target: said("linkpath", () => field(block, 157, 100, refuse)),
    userName: said("uname", () => field(block, 265, 32, refuse)),
    groupName: said("gname", () => field(block, 297, 32, refuse)),
    deviceMajor: flag === "3" || flag === "4" ? numberField(block, 329, 8, refuse) : 0,
    deviceMinor: flag === "3" || flag === "4" ? numberField(block, 337, 8, refuse) : 0,
    records: Object.fromEntries([...pax].filter(([key]) => !ownRecords.has(key))),
  };
}

/** An empty value takes back what a global header says. */
function records(body: Uint8Array, refuse: Refuse): Records {
  return new Map([...paxRecords(body, refuse)].filter(([, value]) => value.byteLength > 0));
}

function integer(text: string, key: string, refuse: Refuse): number {
  const value = Math.floor(Number(text));
  if (!/^-?[0-9]+(?:\.[0-9]*)?$/.test(text) || !Number.isSafeInteger(value) || (value < 0 && key !== "mtime")) {
    refuse(`${key} is ${JSON.stringify(text.slice(0, 40))}`);
  }
  return value;
}

function field(block: Uint8Array, at: number, length: number, refuse: Refuse): string {
  return utf8(untilNull(block.subarray(at, at + length)), refuse);
}

function refuser(name: string): Refuse {
  return (problem) => {
    throw new LibraryError("malformed-archive", `Cannot read ${name}: not a whole tar (${problem})`);
  };
}
