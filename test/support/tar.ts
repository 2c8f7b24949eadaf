/** One entry of a tar made for a test; every field that is not given is right. */
export interface TarPart {
  readonly name: string;
  readonly content?: Uint8Array | string;
  /** The type flag; `0` by default, `5` where the name ends in `/`. */
  readonly type?: string;
  /** What the size field says instead of the content's size, written as given. */
  readonly sizeField?: string | Uint8Array;
  readonly prefix?: string;
  readonly linkName?: string;
  /** `posix` by default. */
  readonly format?: "posix" | "gnu" | "v7";
  readonly badChecksum?: boolean;
}

export interface TarOptions {
  /** Blocks of zeros at the end; 2 by default. */
  readonly endBlocks?: number;
  /** Bytes behind the end. */
  readonly trailer?: Uint8Array;
}

/** A tar of exactly these parts, right or wrong. */
export function makeTar(parts: readonly TarPart[], options: TarOptions = {}): Uint8Array {
  const blocks = parts.flatMap((part) => {
    const content = typeof part.content === "string" ? new TextEncoder().encode(part.content) : part.content;
    const size = content?.byteLength ?? 0;
    return [header(part, size), content ?? new Uint8Array(0), new Uint8Array((512 - (size % 512)) % 512)];
  });
  return Buffer.concat([
    ...blocks,
    new Uint8Array(512 * (options.endBlocks ?? 2)),
    options.trailer ?? new Uint8Array(0),
  ]);
}

/** A pax header with these records, for the part that follows. */
export function pax(records: Readonly<Record<string, string>>, type = "x"): TarPart {
  const content = Object.entries(records)
    .map(([key, value]) => paxRecord(key, value))
    .join("");
  return { name: "PaxHeaders/x", type, content };
}

export function paxRecord(key: string, value: string): string {
  const rest = Buffer.byteLength(` ${key}=${value}\n`);
  let length = rest + 1;
  while (length !== rest + String(length).length) length = rest + String(length).length;
  return `${length} ${key}=${value}\n`;
}

/** A long name as GNU tar writes it, for the part that follows. */
export function gnuLongName(name: string): TarPart {
  return { name: "././@LongLink", type: "L", content: `${name}\0`, format: "gnu" };
}

function header(part: TarPart, size: number): Uint8Array {
  const block = Buffer.alloc(512);
  block.write(part.name, 0, 100, "utf8");
  block.write("0000644\0", 100);
  block.write("0000000\0", 108);
  block.write("0000000\0", 116);
  const field = part.sizeField ?? `${size.toString(8).padStart(11, "0")}\0`;
  if (typeof field === "string") block.write(field, 124, "latin1");
  else block.set(field, 124);
  block.write("00000000000\0", 136);
  block.write("        ", 148);
  block.write(part.type ?? (part.name.endsWith("/") ? "5" : "0"), 156, "latin1");
  block.write(part.linkName ?? "", 157);
  if (part.format === "gnu") block.write("ustar  \0", 257);
  else if (part.format !== "v7") block.write("ustar\u000000", 257);
  block.write(part.prefix ?? "", 345);
  const sum = block.reduce((total, byte) => total + byte, 0) + (part.badChecksum ? 1 : 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return block;
}
