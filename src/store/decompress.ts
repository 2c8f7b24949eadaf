import { createReadStream } from "node:fs";
import { type FileHandle, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Io } from "../core/content.ts";
import { LibraryError } from "../core/error.ts";
import type { Random } from "../core/ports.ts";
import { type Compression, decompress as unpack } from "../tar/codec.ts";
import { fileError, namingFile } from "./file-error.ts";
import { writeAll } from "./staging.ts";

/** Bounds of what is decompressed: a bomb fails with `limit-exceeded` before it fills the disk. */
export interface DecompressionLimits {
  /** Bytes; default 64 GiB. */
  readonly maxBytes?: number;
  /** Bytes out for one byte in, beyond `freeBytes`; default 1000. */
  readonly maxRatio?: number;
  /** Bytes out of which no ratio is asked; default 1 GiB. */
  readonly freeBytes?: number;
}

/** A temporary file that goes away with `close`. */
export interface TemporaryFile {
  readonly handle: FileHandle;
  readonly size: number;
  close(): Promise<void>;
}

/**
 * The decompressed bytes of the file at `path`, in a temporary file. Where the system allows it the file has no name
 * any more, so that it is gone with the process in whatever way that ends. Throws `malformed-archive` for broken input
 * and `limit-exceeded` beyond the limits.
 */
export async function decompress(
  path: string,
  compression: Compression,
  options: DecompressionLimits & {
    readonly name: string;
    readonly folder?: string | undefined;
    readonly random: Random;
  },
  io: Io,
): Promise<TemporaryFile> {
  const temporary = join(options.folder ?? tmpdir(), `library-archive-${options.random.hex(8)}.tar`);
  const handle = await namingFile("write", temporary, () => open(temporary, "wx+", 0o600));
  let isNamed = true;
  const close = async (): Promise<void> => {
    await handle.close();
    if (isNamed) await rm(temporary, { force: true });
  };
  try {
    isNamed = await rm(temporary).then(
      () => false,
      () => true, // Windows keeps the names of open files: removed by `close`
    );
    const size = await pour(path, compression, handle, temporary, options, io);
    return { handle, size, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function pour(
  path: string,
  compression: Compression,
  handle: FileHandle,
  temporary: string,
  options: DecompressionLimits & { readonly name: string },
  io: Io,
): Promise<number> {
  const { name, maxBytes = 64 * 1024 ** 3, maxRatio = 1000, freeBytes = 1024 ** 3 } = options;
  let taken = 0;
  let size = 0;
  const source = async function* (): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of createReadStream(path, { highWaterMark: 256 * 1024, signal: io.signal })) {
        taken += chunk.byteLength;
        yield chunk;
      }
    } catch (cause) {
      throw fileError("read", path, cause);
    }
  };
  for await (const bytes of unpack(source(), compression, { name, maxBytes })) {
    io.signal.throwIfAborted();
    if (size + bytes.byteLength > Math.max(freeBytes, taken * maxRatio)) {
      throw new LibraryError("limit-exceeded", `Cannot read ${name}: it unpacks to more than ${size} bytes`, {
        hint: "Decompress it with another program, if you trust it, and read the plain tar",
      });
    }
    const at = size;
    size += bytes.byteLength;
    await namingFile("write", temporary, () => writeAll(handle, bytes, at));
  }
  return size;
}
