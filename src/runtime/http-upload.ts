import { closeSync, openSync, readSync } from "node:fs";
import { open, stat } from "node:fs/promises";
import { IntegrityError, LibraryError } from "../core/error.ts";
import type { HttpRequest } from "../core/ports.ts";

/** The body of a request, ready to be sent. */
export type Upload =
  | { readonly kind: "none" }
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  | { readonly kind: "file"; readonly path: string; readonly offset: number; readonly size: number }
  | { readonly kind: "stream"; readonly size: number; open(): Promise<ReadableStream<Uint8Array>> };

/** Files below this many bytes are sent from memory. */
const smallFile = 256 << 10;

/**
 * What `request` sends: a file only where it holds the bytes (`size-mismatch` else), since both clients send what is
 * there and correct the length silently. A stream fails with `size-mismatch` where it ends early or goes on.
 */
export async function prepareUpload(request: HttpRequest): Promise<Upload> {
  const { body } = request;
  if (body === undefined) return { kind: "none" };
  if (body instanceof Uint8Array) return { kind: "bytes", bytes: body };
  const { content, offset = 0, length } = body;
  if (content.size >= 0 && offset + (length ?? 0) > content.size) {
    throw mismatch(request, content.size, offset + (length ?? 0));
  }
  const size = length ?? (content.size < 0 ? -1 : content.size - offset);
  if (content.file !== undefined && size >= 0) return prepareFile(request, content.file, offset, size);
  return {
    kind: "stream",
    size,
    open: async () => exactly(await content.stream(offset), size, length !== undefined, request),
  };
}

/** The bytes of a part of a file in pieces of 1 MiB; the file is closed at the end, at a failure and by cancel. */
export function fileStream(path: string, offset: number, size: number): ReadableStream<Uint8Array> {
  let at = offset;
  const end = offset + size;
  let file: Awaited<ReturnType<typeof open>> | undefined;
  return new ReadableStream(
    {
      async pull(controller) {
        try {
          if (at < end) {
            file ??= await open(path, "r");
            const buffer = new Uint8Array(Math.min(1 << 20, end - at));
            const { bytesRead } = await file.read(buffer, 0, buffer.byteLength, at);
            if (bytesRead === 0) {
              throw new IntegrityError("size-mismatch", `Cannot send ${path}: ${at} bytes, expected ${end}`);
            }
            at += bytesRead;
            controller.enqueue(buffer.subarray(0, bytesRead));
          }
          if (at >= end) {
            await file?.close();
            controller.close();
          }
        } catch (error) {
          await file?.close();
          throw error;
        }
      },
      cancel: () => file?.close(),
    },
    { highWaterMark: 0 },
  );
}

async function prepareFile(request: HttpRequest, path: string, offset: number, size: number): Promise<Upload> {
  if (size < smallFile) return { kind: "bytes", bytes: readSmall(request, path, offset, size) };
  let there: number;
  try {
    there = (await stat(path)).size;
  } catch (cause) {
    throw unreadable(path, cause);
  }
  if (there < offset + size) throw mismatch(request, there, offset + size);
  return { kind: "file", path, offset, size };
}

/** At once: to have another thread open, read and close takes longer than to do it, and images have many small blobs. */
function readSmall(request: HttpRequest, path: string, offset: number, size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  let filled = 0;
  try {
    const file = openSync(path, "r");
    try {
      for (let read = -1; read !== 0 && filled < size; filled += read) {
        read = readSync(file, bytes, filled, size - filled, offset + filled);
      }
    } finally {
      closeSync(file);
    }
  } catch (cause) {
    throw unreadable(path, cause);
  }
  if (filled < size) throw mismatch(request, offset + filled, offset + size);
  return bytes;
}

function unreadable(path: string, cause: unknown): LibraryError {
  return new LibraryError("io-error", `Cannot send ${path}: it cannot be read`, { cause });
}

/** Passes on `size` bytes (all of them where it is negative); what is beyond is cut where `cut` says so. */
function exactly(
  source: ReadableStream<Uint8Array>,
  size: number,
  cut: boolean,
  request: HttpRequest,
): ReadableStream<Uint8Array> {
  if (size < 0) return source;
  const reader = source.getReader();
  let passed = 0;
  return new ReadableStream(
    {
      async pull(controller) {
        for (;;) {
          if (passed === size && cut) {
            controller.close();
            await reader.cancel();
            return;
          }
          // The end is read too: a longer source would else go unnoticed
          const { done, value } = await reader.read();
          if (done) {
            if (passed < size) throw mismatch(request, passed, size);
            controller.close();
            return;
          }
          const fits = value.byteLength <= size - passed ? value : value.subarray(0, size - passed);
          if (fits.byteLength < value.byteLength && !cut) {
            await reader.cancel();
            throw mismatch(request, `more than ${size}`, size);
          }
          passed += fits.byteLength;
          if (fits.byteLength > 0) {
            controller.enqueue(fits);
            return;
          }
        }
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
}

function mismatch(request: HttpRequest, found: number | string, expected: number): IntegrityError {
  return new IntegrityError(
    "size-mismatch",
    `Cannot send a body to ${request.url.host}: ${found} bytes, expected ${expected}`,
  );
}
