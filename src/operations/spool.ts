import { createWriteStream } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { LibraryError } from "../core/error.ts";
import { withTemporaryFolder } from "./temporary-folder.ts";

/** Writes a stream to the file at `path`, at most `limit` bytes: `limit-exceeded` beyond. Resolves to the bytes written. */
export async function saveStream(
  stream: ReadableStream<Uint8Array>,
  path: string,
  signal: AbortSignal,
  limit = Number.MAX_SAFE_INTEGER,
): Promise<number> {
  let size = 0;
  const counted = async function* () {
    for await (const chunk of stream) {
      size += chunk.byteLength;
      if (size > limit) throw new LibraryError("limit-exceeded", `Cannot read the input: more than ${limit} bytes`);
      yield chunk;
    }
  };
  await pipeline(Readable.from(counted()), createWriteStream(path), { signal });
  return size;
}

/** Runs `body` with the path of a file that does not exist yet, and removes it after. */
export async function withTemporaryFile<T>(body: (path: string) => Promise<T>): Promise<T> {
  return withTemporaryFolder(undefined, (folder) => body(join(folder, "content")));
}
