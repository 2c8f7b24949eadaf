import { LibraryError } from "../core/error.ts";

/** Bytes of a block; POSIX.1-2017, pax, "ustar Interchange Format". */
export const blockBytes = 512;

/** A header's fields as far as an archive of content needs them; names as written. */
export interface TarHeader {
  readonly name: string;
  /** Bytes of the entry. */
  readonly size: number;
  /** The type flag; `0` also for NUL. */
  readonly type: string;
}

/** The largest size that a header without an extension can hold: 8 GiB less one. */
export const maxOctalSize = 0o77777777777;

/** Bytes of a name that a header without an extension holds, its prefix field left aside. */
export const maxNameBytes = 100;

/** Throws the `malformed-archive` of an archive that breaks the format at a byte position. */
export type Refuse = (problem: string) => never;

/**
 * The header in a block: ustar or GNU. Refuses a wrong checksum, other formats, negative sizes and names that are not
 * UTF-8.
 */
export function parseTarHeader(block: Uint8Array, refuse: Refuse): TarHeader {
  checkSum(block, refuse);
  const magic = latin1(block, 257, 8);
  const isPosix = magic === "ustar\u000000";
  if (!isPosix && magic !== "ustar  \u0000") refuse("a header that is neither ustar nor GNU");
  const base = text(block, 0, 100, refuse);
  // GNU keeps other things in the place of the prefix
  const prefix = isPosix ? text(block, 345, 155, refuse) : "";
  const type = latin1(block, 156, 1);
  return {
    name: prefix === "" ? base : `${prefix}/${base}`,
    size: number(block, 124, 12, refuse),
    type: type === "\u0000" ? "0" : type,
  };
}

/** The records of a pax header, "length key=value\n" each; the last one of a key would win, so two of one are refused. */
export function parsePaxRecords(bytes: Uint8Array, refuse: Refuse): ReadonlyMap<string, string> {
  const records = new Map<string, string>();
  for (let at = 0; at < bytes.byteLength; ) {
    const space = bytes.indexOf(0x20, at);
    const length = space < 0 ? "" : latin1(bytes, at, Math.min(space - at, 20));
    const end = at + Number(length);
    if (!/^[1-9][0-9]{0,7}$/.test(length) || end > bytes.byteLength || end <= space + 1)
      refuse("a malformed pax record");
    if (bytes[end - 1] !== 0x0a) refuse("a pax record without its end");
    const record = decode(bytes.subarray(space + 1, end - 1), refuse);
    const equals = record.indexOf("=");
    if (equals < 1) refuse("a pax record without a key");
    const key = record.slice(0, equals);
    if (records.has(key)) refuse(`two pax records of ${JSON.stringify(key.slice(0, 60))}`);
    records.set(key, record.slice(equals + 1));
    at = end;
  }
  return records;
}

/** The header blocks of an entry that depend on nothing but these values: ustar, with a pax header where it needs one. */
export function tarHeader(name: string, size: number, type: "file" | "folder"): Uint8Array {
  const records = [
    ...(new TextEncoder().encode(name).byteLength > maxNameBytes ? [paxRecord("path", name)] : []),
    ...(size > maxOctalSize ? [paxRecord("size", String(size))] : []),
  ].join("");
  const flag = type === "file" ? "0" : "5";
  const mode = type === "file" ? 0o644 : 0o755;
  if (records === "") return ustarBlock(name, size, flag, mode);
  const body = new TextEncoder().encode(records);
  const short = name.slice(-maxNameBytes);
  const parts = [
    ustarBlock(`PaxHeaders/${name.slice(-80)}`, body.byteLength, "x", 0o644),
    body,
    new Uint8Array(padding(body.byteLength)),
    ustarBlock(short, size > maxOctalSize ? 0 : size, flag, mode),
  ];
  return concatenate(parts);
}

/** Bytes of zeros that follow an entry of this size. */
export function padding(size: number): number {
  return (blockBytes - (size % blockBytes)) % blockBytes;
}

function ustarBlock(name: string, size: number, type: string, mode: number): Uint8Array {
  const block = new Uint8Array(blockBytes);
  const put = (at: number, value: string): void => void block.set(new TextEncoder().encode(value), at);
  const octal = (value: number, digits: number): string => `${value.toString(8).padStart(digits, "0")}\u0000`;
  put(0, name);
  put(100, octal(mode, 7));
  put(108, octal(0, 7));
  put(116, octal(0, 7));
  put(124, octal(size, 11));
  put(136, octal(0, 11));
  put(148, "        ");
  put(156, type);
  put(257, "ustar\u000000");
  put(329, octal(0, 7));
  put(337, octal(0, 7));
  put(148, `${sum(block).toString(8).padStart(6, "0")}\u0000 `);
  return block;
}

/** Its length counts its own digits. */
function paxRecord(key: string, value: string): string {
  const rest = new TextEncoder().encode(` ${key}=${value}\n`).byteLength;
  let length = rest;
  while (length !== rest + String(length).length) length = rest + String(length).length;
  return `${length} ${key}=${value}\n`;
}

function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.byteLength, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.byteLength;
  }
  return whole;
}

function checkSum(block: Uint8Array, refuse: Refuse): void {
  const written = number(block, 148, 8, refuse);
  const blank = block.slice();
  blank.fill(0x20, 148, 156);
  if (sum(blank) !== written) refuse("a header with a wrong checksum");
}

function sum(block: Uint8Array): number {
  return block.reduce((total, byte) => total + byte, 0);
}

/** Octal digits, or GNU's base-256 with its highest bit set; never negative. */
function number(block: Uint8Array, at: number, length: number, refuse: Refuse): number {
  const first = block[at] ?? 0;
  if (first >= 0x80) {
    if (first !== 0x80) refuse("a negative or too large number");
    let value = 0;
    for (const byte of block.subarray(at + 1, at + length)) {
      value = value * 256 + byte;
      if (value > Number.MAX_SAFE_INTEGER) refuse("a number that is too large");
    }
    return value;
  }
  const digits = /^ *([0-7]*) *$/.exec(latin1(block, at, length).replaceAll("\u0000", " "))?.[1];
  if (digits === undefined) refuse("a number that is not octal");
  return digits === "" ? 0 : Number.parseInt(digits, 8);
}

/** A field that ends at its first NUL; behind that nothing else may stand. */
function text(block: Uint8Array, at: number, length: number, refuse: Refuse): string {
  const field = block.subarray(at, at + length);
  const nul = field.indexOf(0);
  if (nul >= 0 && field.subarray(nul).some((byte) => byte !== 0)) refuse("a name with a NUL in it");
  return decode(nul < 0 ? field : field.subarray(0, nul), refuse);
}

function decode(bytes: Uint8Array, refuse: Refuse): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return refuse("a name that is not UTF-8");
  }
}

function latin1(bytes: Uint8Array, at: number, length: number): string {
  return String.fromCharCode(...bytes.subarray(at, at + length));
}

/** A `malformed-archive` error of the archive called `name`. */
export function malformedArchive(name: string, problem: string): LibraryError {
  return new LibraryError("malformed-archive", `Cannot read ${name}: ${problem}`);
}
