import type { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { constants, createGunzip, createGzip, createZstdCompress, createZstdDecompress } from "node:zlib";
import { LibraryError } from "../core/error.ts";
import { zstdFrames } from "./zstd-frames.ts";

/** The compressions that are read and written. */
export type Compression = "gzip" | "zstd";

/** What a compressor is fed with, in bytes: what it gives depends on it. */
export const compressorBytes = 64 * 1024;
const decompressorBytes = 256 * 1024;

type Bytes = AsyncIterable<Uint8Array>;
/**
 * The compressed bytes. The bytes of gzip depend on the sizes of the writes and of the buffers, so both are fixed here:
 * equal input gives equal output in equal builds of the runtime, however the input is cut.
 */
export function compress(source: Bytes, compression: Compression): Bytes {
  return through(rechunk(source), compressor(compression));
}

/** A stream that compresses; fed pieces of exactly `compressorBytes`, the last one shorter, it gives what `compress` gives. */
export function compressor(compression: Compression): Transform {
  if (compression === "gzip") return createGzip({ level: 6, chunkSize: compressorBytes });
  return createZstdCompress({
    chunkSize: compressorBytes,
    params: { [constants.ZSTD_c_compressionLevel]: 3, [constants.ZSTD_c_checksumFlag]: 1 },
  });
}

/** What the first bytes of a file say of its compression; `none` where they are no known magic number. */
export function detectCompression(head: Uint8Array): Compression | "none" {
  if (head[0] === 0x1f && head[1] === 0x8b) return "gzip";
  if (head[0] === 0x28 && head[1] === 0xb5 && head[2] === 0x2f && head[3] === 0xfd) return "zstd";
  // A skippable frame may come first: RFC 8878, section 3.1.2
  if (((head[0] ?? 0) & 0xf0) === 0x50 && head[1] === 0x2a && head[2] === 0x4d && head[3] === 0x18) return "zstd";
  return "none";
}

/**
 * The unpacked bytes of a whole stream: several gzip members or zstd frames are joined. Throws `malformed-archive`
 * where the stream is broken, cut or followed by something else, `limit-exceeded` beyond `maxBytes`.
 */
export async function* decompress(
  source: Bytes,
  compression: Compression,
  options: { readonly name: string; readonly maxBytes: number },
): AsyncGenerator<Uint8Array> {
  let size = 0;
  const unpacked =
    compression === "gzip"
      ? through(source, createGunzip({ chunkSize: decompressorBytes }))
      : unzstd(source, options.name);
  try {
    for await (const chunk of unpacked) {
      size += chunk.byteLength;
      if (size > options.maxBytes) {
        throw new LibraryError(
          "limit-exceeded",
          `Cannot read ${options.name}: it unpacks to more than ${options.maxBytes} bytes`,
        );
      }
      yield chunk;
    }
  } catch (cause) {
    throw isCodecError(cause)
      ? new LibraryError("malformed-archive", `Cannot read ${options.name}: its ${compression} stream is broken`, {
          cause,
        })
      : cause;
  }
}

/** The same bytes in chunks of exactly 64 KiB, the last one shorter; each chunk is a buffer of its own. */
export async function* rechunk(source: Bytes): AsyncGenerator<Uint8Array> {
  let held = new Uint8Array(compressorBytes);
  let filled = 0;
  for await (const chunk of source) {
    for (let at = 0; at < chunk.byteLength; ) {
      const part = chunk.subarray(at, at + compressorBytes - filled);
      held.set(part, filled);
      filled += part.byteLength;
      at += part.byteLength;
      if (filled === compressorBytes) {
        yield held;
        held = new Uint8Array(compressorBytes);
        filled = 0;
      }
    }
  }
  if (filled > 0) yield held.subarray(0, filled);
}

async function* unzstd(source: Bytes, name: string): AsyncGenerator<Uint8Array> {
  const frames = zstdFrames(source, name);
  for (let next = await frames.next(); !next.done; ) {
    let done = false;
    async function* one(): AsyncGenerator<Uint8Array> {
      while (!next.done && !next.value.last) {
        yield next.value.bytes;
        next = await frames.next();
      }
      done = true;
    }
    yield* through(one(), createZstdDecompress({ chunkSize: decompressorBytes }));
    if (!done) throw new LibraryError("malformed-archive", `Cannot read ${name}: a zstd frame ends early`);
    next = await frames.next();
  }
}

async function* through(source: Bytes, transform: Transform): AsyncGenerator<Uint8Array> {
  const feeding = pipeline(source, transform);
  // The same failure ends the reading below, which is where it is reported
  feeding.catch(() => {});
  try {
    yield* transform;
    await feeding;
  } finally {
    transform.destroy();
  }
}

/**
 * Whether zlib itself failed, rather than whoever gave or took the bytes: its errors have codes as Z_DATA_ERROR. A
 * premature close is Bun's (1.4.5) way to say that bytes follow the end of the last member.
 */
function isCodecError(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" && /^(Z_|ZSTD_|ERR_ZLIB|ERR_ZSTD|ERR_STREAM_PREMATURE_CLOSE)/.test(code);
}
