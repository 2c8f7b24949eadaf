import { createReadStream } from "node:fs";
import { type FileHandle, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Transform } from "node:stream";
import { constants, createGunzip, createZstdDecompress } from "node:zlib";
import type { Io } from "../core/content.ts";
import { LibraryError } from "../core/error.ts";
import type { Random } from "../core/ports.ts";
import { errorCode, fileError, namingFile } from "./file-error.ts";
import { writeAll } from "./staging.ts";
import { malformedArchive } from "./tar-header.ts";

/** How a file is compressed, by its first bytes. */
export type Compression = "gzip" | "zstd";

/** Bounds of what is decompressed: a bomb fails with `limit-exceeded` before it fills the disk. */
export interface DecompressionLimits {
  /** Bytes; default 64 GiB. */
  readonly maxBytes?: number;
  /** Bytes out for one byte in, beyond the first GiB; default 1000. */
  readonly maxRatio?: number;
}

const freeBytes = 1024 ** 3;

/** The compression that the first bytes of a file show. */
export function compressionOf(start: Uint8Array): Compression | undefined {
  if (start[0] === 0x1f && start[1] === 0x8b) return "gzip";
  return start[0] === 0x28 && start[1] === 0xb5 && start[2] === 0x2f && start[3] === 0xfd ? "zstd" : undefined;
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
  const { name, maxBytes = 64 * 1024 ** 3, maxRatio = 1000 } = options;
  const input = createReadStream(path, { highWaterMark: 256 * 1024 });
  const output: Transform = compression === "gzip" ? createGunzip({ chunkSize: 256 * 1024 }) : zstd();
  let taken = 0;
  let size = 0;
  input.on("data", (chunk) => {
    taken += chunk.length;
  });
  input.on("error", (error) => output.destroy(error));
  input.pipe(output);
  try {
    for await (const chunk of output) {
      io.signal.throwIfAborted();
      const bytes: Uint8Array = chunk;
      if (size + bytes.byteLength > Math.min(maxBytes, Math.max(freeBytes, taken * maxRatio))) {
        throw new LibraryError("limit-exceeded", `Cannot read ${name}: it unpacks to more than ${size} bytes`, {
          hint: "Decompress it with another program, if you trust it, and read the plain tar",
        });
      }
      await namingFile("write", temporary, () => writeAll(handle, bytes, size));
      size += bytes.byteLength;
    }
  } catch (cause) {
    if (cause instanceof LibraryError || io.signal.aborted) throw cause;
    if (["ENOENT", "EACCES", "EIO", "EISDIR"].includes(errorCode(cause) ?? "")) throw fileError("read", path, cause);
    throw Object.assign(malformedArchive(name, `broken ${compression} data`), { cause });
  } finally {
    input.destroy();
    output.destroy();
  }
  return size;
}

/** Windows up to 128 MiB, the most that zstd writes without `--long`. */
function zstd(): Transform {
  return createZstdDecompress({ chunkSize: 256 * 1024, params: { [constants.ZSTD_d_windowLogMax]: 27 } });
}
