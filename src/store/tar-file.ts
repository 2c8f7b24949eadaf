import { once } from "node:events";
import { open } from "node:fs/promises";
import type { Transform } from "node:stream";
import { compressor, compressorBytes } from "../tar/codec.ts";
import { namingFile } from "./file-error.ts";
import { writeAll } from "./staging.ts";

/** A file that is written once, from its first byte to its last. */
export interface TarFile {
  /** Appends; the caller may reuse the bytes when the promise has resolved. */
  write(bytes: Uint8Array): Promise<void>;
  /** All is written and synced after. */
  end(): Promise<void>;
  /** Closes the file, in whatever state it is. */
  discard(): Promise<void>;
}

/** Small pieces, as headers, are gathered up to this. */
const batchBytes = 1024 * 1024;

/** A new file at `path`, compressed as the name `finalPath` asks for. Fails with `io-error`. */
export async function openTarFile(path: string, finalPath: string): Promise<TarFile> {
  const handle = await namingFile("write", finalPath, () => open(path, "wx"));
  let at = 0;
  let isOpen = true;
  const plain: TarFile = {
    write: async (bytes) => {
      const from = at;
      at += bytes.byteLength;
      await namingFile("write", finalPath, () => writeAll(handle, bytes, from));
    },
    end: () =>
      namingFile("write", finalPath, async () => {
        await handle.sync();
        isOpen = false;
        await handle.close();
      }),
    discard: async () => {
      if (!isOpen) return;
      isOpen = false;
      await handle.close();
    },
  };
  if (/\.t?gz$/i.test(finalPath)) return gathered(compressed(plain, compressor("gzip")), compressorBytes);
  if (/\.t?zst$/i.test(finalPath)) return gathered(compressed(plain, compressor("zstd")), compressorBytes);
  return gathered(plain, batchBytes);
}

/** Passes bytes on in pieces of exactly `size`, the last one aside. */
function gathered(file: TarFile, size: number): TarFile {
  const buffer = new Uint8Array(size);
  let filled = 0;
  const exact = size === compressorBytes;
  return {
    write: async (bytes) => {
      // Large pieces need no copy where their boundaries do not matter
      if (!exact && bytes.byteLength >= size) {
        if (filled > 0) await file.write(buffer.subarray(0, filled));
        filled = 0;
        await file.write(bytes);
        return;
      }
      for (let at = 0; at < bytes.byteLength; ) {
        const part = bytes.subarray(at, at + size - filled);
        buffer.set(part, filled);
        filled += part.byteLength;
        at += part.byteLength;
        if (filled === size) {
          await file.write(buffer);
          filled = 0;
        }
      }
    },
    end: async () => {
      if (filled > 0) await file.write(buffer.subarray(0, filled));
      await file.end();
    },
    discard: () => file.discard(),
  };
}

function compressed(file: TarFile, transform: Transform): TarFile {
  let failure: unknown;
  const writes = (async () => {
    for await (const chunk of transform) await file.write(chunk);
  })().catch((error: unknown) => {
    failure = error;
    transform.destroy();
  });
  return {
    write: async (bytes) => {
      if (failure !== undefined) throw failure;
      // The compressor keeps the piece until it has used it, and the caller reuses its bytes
      if (!transform.write(bytes.slice())) await Promise.race([once(transform, "drain"), writes]);
      if (failure !== undefined) throw failure;
    },
    end: async () => {
      transform.end();
      await writes;
      if (failure !== undefined) throw failure;
      await file.end();
    },
    discard: async () => {
      transform.destroy();
      await writes;
      await file.discard();
    },
  };
}
