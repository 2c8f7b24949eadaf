import { LibraryError } from "../core/error.ts";
import { checkSum, latin1, numberField, paxRecords, type Refuse, untilNull, utf8 } from "../tar/fields.ts";

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

/**
 * The header in a block: ustar or GNU. Refuses a wrong checksum, other formats, negative sizes and names that are not
 * UTF-8 or have something behind their end.
 */
export function parseTarHeader(block: Uint8Array, refuse: Refuse): TarHeader {
  checkSum(block, refuse);
  const magic = latin1(block.subarray(257, 265));
  const isPosix = magic === "ustar\u000000";
  if (!isPosix && magic !== "ustar  \u0000") refuse("a header that is neither ustar nor GNU");
  const base = strictText(block, 0, 100, refuse);
  // GNU keeps other things in the place of the prefix
  const prefix = isPosix ? strictText(block, 345, 155, refuse) : "";
  const type = latin1(block.subarray(156, 157));
  return {
    name: prefix === "" ? base : `${prefix}/${base}`,
    size: numberField(block, 124, 12, refuse),
    type: type === "\u0000" ? "0" : type,
  };
}

/** The records of a pax header; the last one of a key would win, so two of one are refused. */
export function parsePaxRecords(bytes: Uint8Array, refuse: Refuse): ReadonlyMap<string, string> {
  const records = new Map<string, string>();
  for (const [key, value] of paxRecords(bytes, refuse)) {
    if (records.has(key)) refuse(`two pax records of ${JSON.stringify(key.slice(0, 60))}`);
    records.set(key, utf8(value, refuse));
  }
  return records;
}

/** A field that ends at its first NUL; behind that nothing else may stand. */
function strictText(block: Uint8Array, at: number, length: number, refuse: Refuse): string {
  const field = block.subarray(at, at + length);
  const text = untilNull(field);
  if (field.subarray(text.byteLength).some((byte) => byte !== 0)) refuse("a name with a NUL in it");
  return utf8(text, refuse);
}

/** A `malformed-archive` error of the archive called `name`. */
export function malformedArchive(name: string, problem: string): LibraryError {
  return new LibraryError("malformed-archive", `Cannot read ${name}: ${problem}`);
}
