import { constants, type FileHandle, open } from "node:fs/promises";
import { LibraryError } from "../core/error.ts";
import type { HttpBody } from "../core/ports.ts";
import { shortBody } from "./http-failure.ts";

/** The bytes of one response as a client hands them over. */
export interface BodySource {
  readonly url: URL;
  /** Content-Length as sent. */
  readonly size: number | undefined;
  /** Bytes that must come: `size`, or 0 where the response has no body whatever its headers say. */
  readonly expected: number | undefined;
  /** The next bytes, undefined at the end; fails as the port says. */
  next(): Promise<Uint8Array | undefined>;
  /** The caller wants no more: the connection is freed. */
  end(): Promise<void>;
  /** Writes all to the open file, which is empty, where the client knows a faster way than `next`. */
  fill?(file: FileHandle): Promise<void>;
}

/** A body over `source` that checks Content-Length, bounds, and that it is read once. */
export function httpBody(source: BodySource): HttpBody {
  let used = false;
  return {
    size: source.size,
    async bytes(limit) {
      once();
      return readAll(source, limit);
    },
    stream() {
      once();
      return streamOf(source);
    },
    async saveTo(path, offset) {
      once();
      try {
        return await save(source, path, offset);
      } catch (error) {
        await source.end();
        throw error;
      }
    },
    async cancel() {
      if (used) return;
      used = true;
      await source.end();
    },
  };

  function once(): void {
    if (used) throw new LibraryError("internal", "Cannot read a response: it was read before");
    used = true;
  }
}

async function readAll(source: BodySource, limit: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for (;;) {
    if (size > limit || (source.expected ?? 0) > limit) {
      await source.end();
      throw new LibraryError(
        "limit-exceeded",
        `Cannot read from ${source.url.host}: more than ${limit} bytes, expected at most that`,
      );
    }
    const chunk = await source.next();
    if (chunk === undefined) break;
    chunks.push(chunk);
    size += chunk.byteLength;
  }
  checkEnd(source, size);
  const [first] = chunks;
  if (chunks.length === 1 && first) return first;
  const all = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.byteLength;
  }
  return all;
}

function streamOf(source: BodySource): ReadableStream<Uint8Array> {
  let size = 0;
  return new ReadableStream(
    {
      async pull(controller) {
        const chunk = await source.next();
        if (chunk === undefined) {
          checkEnd(source, size);
          controller.close();
          return;
        }
        size += chunk.byteLength;
        controller.enqueue(chunk);
      },
      cancel: () => source.end(),
    },
    { highWaterMark: 0 },
  );
}

async function save(source: BodySource, path: string, offset: number): Promise<number> {
  const file = await openAt(path, offset);
  try {
    if (source.fill && offset === 0) await source.fill(file);
    else await copyTo(source, file, path);
    const written = (await file.stat()).size - offset;
    checkEnd(source, written);
    return written;
  } finally {
    await file.close();
  }
}

/** Not for appending where the file is empty: into such a file Bun.write (1.4.5) writes a body that it holds already twice. */
async function openAt(path: string, offset: number): Promise<FileHandle> {
  let file: FileHandle;
  try {
    file = await open(path, offset === 0 ? constants.O_WRONLY | constants.O_CREAT : "a");
  } catch (cause) {
    throw unwritable(path, "it cannot be opened", cause);
  }
  const { size } = await file.stat();
  if (size === offset) return file;
  await file.close();
  throw unwritable(path, `${size} bytes are there, expected ${offset}`);
}

/** Writes one batch while the next one comes. */
async function copyTo(source: BodySource, file: FileHandle, path: string): Promise<void> {
  let batch: Uint8Array[] = [];
  let batched = 0;
  let writing: Promise<void> = Promise.resolve();
  try {
    for (;;) {
      const chunk = await source.next();
      if (chunk === undefined) break;
      batch.push(chunk);
      batched += chunk.byteLength;
      if (batched >= 1 << 20) await flush();
    }
  } finally {
    // Also after a failure: what came is kept, so that a later run can go on from it
    await flush();
    await writing;
  }

  async function flush(): Promise<void> {
    await writing;
    const full = batch;
    batch = [];
    batched = 0;
    writing = write(full);
    // Awaited by the next flush; until then it must not count as unhandled
    writing.catch(() => {});
  }

  async function write(chunks: readonly Uint8Array[]): Promise<void> {
    try {
      for (const chunk of chunks.length > 8 ? [Buffer.concat(chunks)] : chunks) {
        for (let at = 0; at < chunk.byteLength; ) {
          at += (await file.write(chunk, at, chunk.byteLength - at)).bytesWritten;
        }
      }
    } catch (cause) {
      throw unwritable(path, "it cannot be written", cause);
    }
  }
}

function checkEnd(source: BodySource, received: number): void {
  if (source.expected !== undefined && received !== source.expected) {
    throw shortBody(source.url, received, source.expected);
  }
}

function unwritable(path: string, state: string, cause?: unknown): LibraryError {
  return new LibraryError("io-error", `Cannot save to ${path}: ${state}`, { cause });
}
