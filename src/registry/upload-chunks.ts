import type { Content } from "../core/content.ts";
import { LibraryError } from "../core/error.ts";
import { discard } from "./discard.ts";
import { parseUploadRange } from "./range.ts";
import { moveOn, type UploadRequest, type UploadSession } from "./upload-session.ts";

/** How far the chunks have come; changed with each that the registry acknowledges. */
export interface ChunkProgress {
  /** Bytes that the registry holds. */
  offset: number;
  readonly chunkBytes: number;
}

/**
 * The session holds the whole blob; what remains is to finish it. Sends chunks from `progress.offset` on, none but the
 * last below the registry's least size. Throws `registry-error` where it claims to hold more or less than was sent.
 * distribution-spec v1.1.1, "Pushing a blob in chunks".
 */
export async function sendChunks(
  { client, blob, scopes, purpose, io }: UploadRequest,
  session: UploadSession,
  content: Content,
  progress: ChunkProgress,
): Promise<void> {
  const size = Math.max(progress.chunkBytes, session.leastChunkBytes);
  while (progress.offset < blob.size) {
    const first = progress.offset;
    const length = Math.min(size, blob.size - first);
    const response = await client.send(
      {
        method: "PATCH",
        target: session.location,
        headers: { "content-type": "application/octet-stream", "content-range": `${first}-${first + length - 1}` },
        body: { content, offset: first, length },
        scopes,
        purpose,
        accept: [202, 204],
        retry: false,
      },
      io,
    );
    await discard(response);
    moveOn(client, session, response, purpose);
    progress.offset = acknowledged(response.headers.get("range"), first, length, purpose);
  }
}

/** The offset of the next chunk. A registry that sends no Range has taken the chunk whole. */
function acknowledged(range: string | null, first: number, length: number, purpose: string): number {
  if (range === null) return first + length;
  const last = parseUploadRange(range);
  if (last !== undefined && last >= first && last < first + length && (last > 0 || length === 1)) return last + 1;
  throw new LibraryError(
    "registry-error",
    `Cannot ${purpose}: after bytes ${first} to ${first + length - 1} the registry claims to hold ${
      last === undefined ? "something that is no range" : `bytes 0 to ${last}`
    }`,
  );
}
