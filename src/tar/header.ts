import { LibraryError } from "../core/error.ts";
import { blockBytes, padding } from "./fields.ts";

/** An entry of a layer, as it is written. */
export interface TarEntry {
  /** Relative, with `/` between its parts; a folder's ends with `/`. */
  readonly path: string;
  readonly type: "file" | "link" | "symlink" | "directory" | "character-device" | "block-device" | "fifo";
  /** Permission bits, with setuid, setgid and sticky. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes of content; 0 for everything but files. */
  readonly size: number;
  /** Seconds since 1970. */
  readonly mtime: number;
  readonly target?: string | undefined;
  readonly userName?: string | undefined;
  readonly groupName?: string | undefined;
  readonly deviceMajor?: number | undefined;
  readonly deviceMinor?: number | undefined;
  /** PAX records besides those that this entry needs itself, as `SCHILY.xattr.user.name`. */
  readonly records?: Readonly<Record<string, Uint8Array>> | undefined;
}

const encoder = new TextEncoder();
const typeFlags: Readonly<Record<TarEntry["type"], string>> = {
  file: "0",
  link: "1",
  symlink: "2",
  "character-device": "3",
  "block-device": "4",
  directory: "5",
  fifo: "6",
};

/**
 * The header blocks of an entry: ustar (POSIX.1-2001), preceded by a PAX header where a value does not fit or where the
 * entry carries records. Written here and not by tar-stream, whose encoder (3.2.2) turns mode 0 into 0644, counts times
 * in 32 bits and cannot carry extended attributes that are not text.
 */
export function tarHeader(entry: TarEntry): Uint8Array {
  const records: Record<string, string> = {};
  const path = text(entry.path, 100, "path", records);
  const target = text(entry.target ?? "", 100, "linkpath", records);
  const header = block({
    ...entry,
    path,
    target,
    uid: octal(entry.uid, 7, "uid", records),
    gid: octal(entry.gid, 7, "gid", records),
    size: octal(entry.size, 11, "size", records),
    mtime: octal(entry.mtime, 11, "mtime", records),
    userName: text(entry.userName ?? "", 32, "uname", records),
    groupName: text(entry.groupName ?? "", 32, "gname", records),
  });
  const own = Object.entries(records).map(([key, value]) => [key, encoder.encode(value)] as const);
  const all = new Map([...Object.entries(entry.records ?? {}), ...own]);
  if (all.size === 0) return header;
  const body = joined([...all].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, value]) => record(key, value)));
  const pax = block(
    {
      ...entry,
      type: "file",
      path: "PaxHeaders/entry",
      target: "",
      uid: 0,
      gid: 0,
      mtime: 0,
      mode: 0o644,
      size: body.byteLength,
      userName: "",
      groupName: "",
      deviceMajor: 0,
      deviceMinor: 0,
    },
    "x",
  );
  return joined([pax, body, new Uint8Array(padding(body.byteLength)), header]);
}

/** The end of every tar: two empty blocks. */
export const tarEnd: Uint8Array = new Uint8Array(2 * blockBytes);

/** `value` where its bytes fit a field and are ASCII, else as much as fits, with the whole in a record. */
function text(value: string, length: number, key: string, records: Record<string, string>): string {
  const bytes = encoder.encode(value);
  if (bytes.byteLength <= length && bytes.every((byte) => byte < 0x80)) return value;
  records[key] = value;
  return value.replace(/[^ -~]/g, "_").slice(0, length);
}

/** `value` where that many octal digits hold it, else 0, with the number in a record. */
function octal(value: number, digits: number, key: string, records: Record<string, string>): number {
  if (!Number.isSafeInteger(value) || (value < 0 && key !== "mtime")) {
    throw new LibraryError("invalid-input", `Cannot write a tar entry: ${key} is ${value}`);
  }
  if (value >= 0 && value < 8 ** digits) return value;
  records[key] = String(value);
  return 0;
}

/** `length key=value\n`, where the length counts itself: POSIX.1-2001, "pax Extended Header". */
function record(key: string, value: Uint8Array): Uint8Array {
  const rest = joined([encoder.encode(` ${key}=`), value, encoder.encode("\n")]);
  let length = rest.byteLength + String(rest.byteLength).length;
  length = rest.byteLength + String(length).length;
  return joined([encoder.encode(String(length)), rest]);
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.byteLength, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.byteLength;
  }
  return whole;
}

function block(entry: TarEntry, flag = typeFlags[entry.type]): Uint8Array {
  const bytes = new Uint8Array(blockBytes);
  const write = (value: string, at: number): void => {
    bytes.set(encoder.encode(value), at);
  };
  const number = (value: number, digits: number, at: number): void =>
    write(value.toString(8).padStart(digits, "0"), at);
  write(entry.path, 0);
  number(entry.mode & 0o7777, 7, 100);
  number(entry.uid, 7, 108);
  number(entry.gid, 7, 116);
  number(entry.size, 11, 124);
  number(entry.mtime, 11, 136);
  write("        ", 148);
  write(flag, 156);
  write(entry.target ?? "", 157);
  write("ustar\u000000", 257);
  write(entry.userName ?? "", 265);
  write(entry.groupName ?? "", 297);
  number(entry.deviceMajor ?? 0, 7, 329);
  number(entry.deviceMinor ?? 0, 7, 337);
  const sum = bytes.reduce((total, byte) => total + byte, 0);
  write(`${sum.toString(8).padStart(6, "0")}\u0000 `, 148);
  return bytes;
}
