import { LibraryError } from "../core/error.ts";
import { ByteReader } from "./byte-reader.ts";
import { paddedSize, type TarEntry } from "./tar-header.ts";

/** An entry of a tar as read: its fields, those of its PAX and GNU headers applied. */
export interface TarHead extends Omit<TarEntry, "type"> {
  /** `other` for types that a layer has no use for, as GNU's sparse files. */
  readonly type: TarEntry["type"] | "other";
}

/** What a tar is made of, in order: an entry, then the bytes of its content, none for padding. */
export type TarPart = { readonly entry: TarHead } | { readonly bytes: Uint8Array };

/** The most bytes of one PAX or GNU long name header. */
const maxExtensionBytes = 1024 * 1024;
const blockBytes = 512;
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
  if (!(await reader.more())) throw malformed(name, "it is empty");
  let global: Records = new Map();
  let local: Records = new Map();
  while (await reader.more()) {
    const block = await reader.bytes(blockBytes);
    if (block.every((byte) => byte === 0)) break;
    checkSum(block, name);
    const flag = String.fromCharCode(block[156] ?? 0);
    const size = number(block, 124, 12, name);
    if (flag === "x" || flag === "g" || flag === "L" || flag === "K") {
      if (size > maxExtensionBytes) throw malformed(name, `a header of ${size} bytes`);
      const body = (await reader.bytes(paddedSize(size))).subarray(0, size);
      if (flag === "g") global = new Map([...global, ...records(body, name)]);
      else if (flag === "x") local = new Map([...local, ...records(body, name)]);
      else local = new Map([...local, [flag === "L" ? "path" : "linkpath", untilNull(body)]]);
      continue;
    }
    const entry = head(block, flag, size, new Map([...global, ...local]), name);
    local = new Map();
    yield { entry };
    for await (const bytes of reader.take(entry.size)) yield { bytes };
    await reader.bytes(paddedSize(entry.size) - entry.size);
  }
  for await (const _ of reader.rest()) yield { bytes: new Uint8Array(0) };
}

/** PAX records that the fields of an entry say. */
const ownRecords = new Set(["path", "linkpath", "size", "uid", "gid", "mtime", "uname", "gname", "comment"]);

function head(block: Uint8Array, flag: string, size: number, pax: Records, name: string): TarHead {
  const isUstar = ascii(block.subarray(257, 263)) === "ustar\0";
  const prefix = isUstar ? field(block, 345, 155, name) : "";
  const ownName = field(block, 0, 100, name);
  const said = (key: string, fallback: () => string): string => {
    const value = pax.get(key);
    return value === undefined ? fallback() : utf8(value, name);
  };
  const counted = (key: string, at: number, length: number): number => {
    const value = pax.get(key);
    return value === undefined ? number(block, at, length, name) : integer(utf8(value, name), key, name);
  };
  const path = said("path", () => (prefix === "" ? ownName : `${prefix}/${ownName}`));
  const type = types[flag] ?? "other";
  const sparse = [...pax.keys()].some((key) => key.startsWith("GNU.sparse."));
  const length = pax.has("size") ? counted("size", 124, 12) : size;
  return {
    path,
    // Tars of version 7 mark a folder by the end of its name
    type: sparse ? "other" : type === "file" && path.endsWith("/") ? "directory" : type,
    mode: number(block, 100, 8, name),
    uid: counted("uid", 108, 8),
    gid: counted("gid", 116, 8),
    // Other tools announce the size of what a hard link names; no content follows (POSIX.1-2001, "typeflag")
    size: type === "file" || type === "other" ? length : 0,
    mtime: counted("mtime", 136, 12),
    target: said("linkpath", () => field(block, 157, 100, name)),
    userName: said("uname", () => field(block, 265, 32, name)),
    groupName: said("gname", () => field(block, 297, 32, name)),
    deviceMajor: flag === "3" || flag === "4" ? number(block, 329, 8, name) : 0,
    deviceMinor: flag === "3" || flag === "4" ? number(block, 337, 8, name) : 0,
    records: Object.fromEntries([...pax].filter(([key]) => !ownRecords.has(key))),
  };
}

function checkSum(block: Uint8Array, name: string): void {
  const said = number(block, 148, 8, name);
  let sum = 0;
  for (const [at, byte] of block.entries()) sum += at >= 148 && at < 156 ? 0x20 : byte;
  if (sum !== said) throw malformed(name, "a header's checksum is wrong");
}

/** A number in octal, or in GNU's base 256 where the first bit is set. */
function number(block: Uint8Array, at: number, length: number, name: string): number {
  const bytes = block.subarray(at, at + length);
  if (((bytes[0] ?? 0) & 0x80) !== 0) {
    if (bytes[0] !== 0x80) throw malformed(name, "a number that is negative or too large");
    let value = 0;
    for (const byte of bytes.subarray(1)) value = value * 256 + byte;
    if (!Number.isSafeInteger(value)) throw malformed(name, "a number that is too large");
    return value;
  }
  const text = ascii(untilNull(bytes)).trim();
  if (!/^[0-7]*$/.test(text)) throw malformed(name, "a field that is no octal number");
  return text === "" ? 0 : Number.parseInt(text, 8);
}

function records(body: Uint8Array, name: string): Records {
  const found = new Map<string, Uint8Array>();
  for (let at = 0; at < body.byteLength; ) {
    const space = body.indexOf(0x20, at);
    const length = space < 0 ? "" : ascii(body.subarray(at, space));
    const end = at + Number(length);
    if (!/^[1-9][0-9]{0,8}$/.test(length) || end > body.byteLength || body[end - 1] !== 0x0a) {
      throw malformed(name, "a PAX header is broken");
    }
    const record = body.subarray(space + 1, end - 1);
    const equals = record.indexOf(0x3d);
    if (equals <= 0) throw malformed(name, "a PAX header is broken");
    const value = record.subarray(equals + 1);
    // An empty value takes back what a global header says
    if (value.byteLength > 0) found.set(utf8(record.subarray(0, equals), name), value);
    at = end;
  }
  return found;
}

function integer(text: string, key: string, name: string): number {
  const value = Math.floor(Number(text));
  if (!/^-?[0-9]+(?:\.[0-9]*)?$/.test(text) || !Number.isSafeInteger(value) || (value < 0 && key !== "mtime")) {
    throw malformed(name, `${key} is ${JSON.stringify(text.slice(0, 40))}`);
  }
  return value;
}

function field(block: Uint8Array, at: number, length: number, name: string): string {
  return utf8(untilNull(block.subarray(at, at + length)), name);
}

function untilNull(bytes: Uint8Array): Uint8Array {
  const end = bytes.indexOf(0);
  return end < 0 ? bytes : bytes.subarray(0, end);
}

function ascii(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}

function utf8(bytes: Uint8Array, name: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new LibraryError("malformed-archive", `Cannot read ${name}: a name that is not UTF-8`, { cause });
  }
}

function malformed(name: string, problem: string): LibraryError {
  return new LibraryError("malformed-archive", `Cannot read ${name}: not a whole tar (${problem})`);
}
