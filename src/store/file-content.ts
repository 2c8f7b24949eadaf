import { Buffer } from "node:buffer";
import { type FileHandle, open } from "node:fs/promises";
import type { Content } from "../core/content.ts";
import { LibraryError } from "../core/error.ts";
import { fileError } from "./file-error.ts";

/** Bytes read at a time. */
const chunkBytes = 256 * 1024;

/** Content of a whole file of `size` bytes at `path`. */
export function fileContent(path: string, size: number): Content {
  return {
    size,
    file: path,
    stream: async (offset = 0) => {
      let handle: FileHandle;
      try {
        handle = await open(path, "r");
      } catch (cause) {
        throw fileError("read", path, cause);
      }
      return rangeStream(handle, offset, size - offset, path, () => handle.close());
    },
  };
}

/**
 * The `length` bytes of an open file from `start` on. `done` is called once, at the end, on failure or on cancel. Fails
 * with `io-error` where the file ends before.
 */
export function rangeStream(
  handle: FileHandle,
  start: number,
  length: number,
  name: string,
  done: () => Promise<void>,
): ReadableStream<Uint8Array> {
  let at = start;
  const end = start + length;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          if (at < end) {
            const chunk = await readChunk(handle, at, Math.min(chunkBytes, end - at), name);
            at += chunk.byteLength;
            controller.enqueue(chunk);
          }
          if (at < end) return;
        } catch (cause) {
          await done();
          throw cause;
        }
        await done();
        controller.close();
      },
      cancel: done,
    },
    { highWaterMark: 1 },
  );
}

/** All `length` bytes of an open file from `start` on; for what is bounded. */
export async function readRange(handle: FileHandle, start: number, length: number, name: string): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let at = 0;
  while (at < length) {
    const chunk = await readChunk(handle, start + at, Math.min(chunkBytes, length - at), name);
    bytes.set(chunk, at);
    at += chunk.byteLength;
  }
  return bytes;
}

async function readChunk(handle: FileHandle, position: number, length: number, name: string): Promise<Uint8Array> {
  const buffer = Buffer.allocUnsafeSlow(length);
  let bytesRead: number;
  try {
    ({ bytesRead } = await handle.read(buffer, 0, length, position));
  } catch (cause) {
    throw fileError("read", name, cause);
  }
  if (bytesRead === 0) throw new LibraryError("io-error", `Cannot read ${name}: it became shorter while it was read`);
  return bytesRead === length ? buffer : buffer.subarray(0, bytesRead);
}
