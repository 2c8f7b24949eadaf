/** Bytes of a block; POSIX.1-2017, pax, "ustar Interchange Format". */
export const blockBytes = 512;

/** Bytes of zeros that follow an entry's content of this size, up to a whole block. */
export function padding(size: number): number {
  return (blockBytes - (size % blockBytes)) % blockBytes;
}

/** Throws the error of a tar that breaks the format; `problem` completes a sentence. */
export type Refuse = (problem: string) => never;

/** Refuses a header block whose checksum is not the sum of its bytes, its own field taken as blanks. */
export function checkSum(block: Uint8Array, refuse: Refuse): void {
  const said = numberField(block, 148, 8, refuse);
  let sum = 0;
  for (const [at, byte] of block.entries()) sum += at >= 148 && at < 156 ? 0x20 : byte;
  if (sum !== said) refuse("a header with a wrong checksum");
}

/** A number in octal, or in GNU's base 256 where the first bit is set; refuses negative ones and those beyond 2^53. */
export function numberField(block: Uint8Array, at: number, length: number, refuse: Refuse): number {
  const bytes = block.subarray(at, at + length);
  const first = bytes[0] ?? 0;
  if (first >= 0x80) {
    if (first !== 0x80) refuse("a number that is negative or too large");
    let value = 0;
    for (const byte of bytes.subarray(1)) value = value * 256 + byte;
    if (!Number.isSafeInteger(value)) refuse("a number that is too large");
    return value;
  }
  const digits = /^ *([0-7]*) *$/.exec(latin1(bytes).replaceAll("\u0000", " "))?.[1];
  if (digits === undefined) return refuse("a number that is not octal");
  return digits === "" ? 0 : Number.parseInt(digits, 8);
}

/** The bytes of a field before its first NUL. */
export function untilNull(bytes: Uint8Array): Uint8Array {
  const end = bytes.indexOf(0);
  return end < 0 ? bytes : bytes.subarray(0, end);
}

/** Bytes as UTF-8; refuses what is none. */
export function utf8(bytes: Uint8Array, refuse: Refuse): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return refuse("a name that is not UTF-8");
  }
}

/** Each byte as the character of its number. */
export function latin1(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}

/** The records of a pax header in their order, `length key=value\n` each: POSIX.1-2017, "pax Extended Header". */
export function* paxRecords(bytes: Uint8Array, refuse: Refuse): Generator<readonly [key: string, value: Uint8Array]> {
  for (let at = 0; at < bytes.byteLength; ) {
    const space = bytes.indexOf(0x20, at);
    const length = space < 0 ? "" : latin1(bytes.subarray(at, Math.min(space, at + 20)));
    const end = at + Number(length);
    if (!/^[1-9][0-9]{0,7}$/.test(length) || end > bytes.byteLength || end <= space + 1)
      refuse("a malformed pax record");
    if (bytes[end - 1] !== 0x0a) refuse("a pax record without its end");
    const record = bytes.subarray(space + 1, end - 1);
    const equals = record.indexOf(0x3d);
    if (equals < 1) refuse("a pax record without a key");
    yield [utf8(record.subarray(0, equals), refuse), record.subarray(equals + 1)];
    at = end;
  }
}
