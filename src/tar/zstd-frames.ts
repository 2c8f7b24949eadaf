import { LibraryError } from "../core/error.ts";
import { ByteReader } from "./byte-reader.ts";

/** Bytes of one frame; `last` where the frame ends with them. Skippable frames are left out. */
export interface FramePart {
  readonly bytes: Uint8Array;
  readonly last: boolean;
}

const frameMagic = 0xfd2fb528;
const skippableMagic = 0x184d2a50;

/**
 * Cuts a zstd stream (RFC 8878) into its frames by their headers, without decoding them. The runtimes' decoders accept a
 * stream that was cut and ignore what follows the first frame (Deno 2.9.6) or is no frame at all (Bun 1.4.5): here each
 * of these is seen. Throws `malformed-archive`.
 */
export async function* zstdFrames(source: AsyncIterable<Uint8Array>, name: string): AsyncGenerator<FramePart> {
  const reader = new ByteReader(source, name);
  while (await reader.more()) {
    const magic = uint32(await reader.peek(4));
    if (magic >= skippableMagic && magic <= skippableMagic + 15) {
      const size = uint32((await reader.peek(8)).subarray(4));
      for await (const _ of reader.take(8 + size));
    } else if (magic === frameMagic) {
      yield* frame(reader, name);
    } else {
      throw malformed(name, "neither the start nor the end of a zstd frame");
    }
  }
}

async function* frame(reader: ByteReader, name: string): AsyncGenerator<FramePart> {
  const descriptor = (await reader.peek(5))[4] ?? 0;
  const single = (descriptor & 0x20) !== 0;
  const sizeFlag = descriptor >> 6;
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3] ?? 0;
  const contentSizeBytes = sizeFlag === 0 ? (single ? 1 : 0) : 1 << sizeFlag;
  const checksum = (descriptor & 4) !== 0;
  yield* parts(reader.take(5 + (single ? 0 : 1) + dictionaryBytes + contentSizeBytes));
  for (let last = false; !last; ) {
    const head = await reader.peek(3);
    const word = (head[0] ?? 0) | ((head[1] ?? 0) << 8) | ((head[2] ?? 0) << 16);
    last = (word & 1) === 1;
    const type = (word >> 1) & 3;
    if (type === 3) throw malformed(name, "a zstd block of the reserved type");
    yield* parts(reader.take(3 + (type === 1 ? 1 : word >> 3)));
  }
  if (checksum) yield* parts(reader.take(4));
  yield { bytes: new Uint8Array(0), last: true };
}

async function* parts(source: AsyncIterable<Uint8Array>): AsyncGenerator<FramePart> {
  for await (const bytes of source) yield { bytes, last: false };
}

function uint32(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true);
}

function malformed(name: string, problem: string): LibraryError {
  return new LibraryError("malformed-archive", `Cannot read ${name}: ${problem}`);
}
