import type { ServerResponse } from "../core/ports.ts";
import { fileContent } from "../store/file-content.ts";
import { type Exchange, existing, part, usableDigest } from "./distribution.ts";
import { refusal } from "./errors.ts";

interface BlobRoute {
  readonly repository: string;
  readonly reference: string;
}

/** Pulling a blob, whole or the one range of it that is asked for: distribution-spec v1.1.1, "Pulling blobs". */
export async function getBlob({ request, storage }: Exchange, route: BlobRoute): Promise<ServerResponse> {
  const digest = usableDigest(route.reference);
  const blob = existing(storage, route.repository).blob(digest);
  if (blob === undefined) throw unknownBlob(digest);
  const etag = `"${digest}"`;
  const headers = {
    "content-type": "application/octet-stream",
    "docker-content-digest": digest,
    "accept-ranges": "bytes",
    etag,
  };
  if (request.headers.get("if-none-match") === etag) return { status: 304, headers };
  const content = fileContent(blob.path, blob.size);
  const ifRange = request.headers.get("if-range");
  const asked =
    request.method === "GET" && (ifRange === null || ifRange === etag) ? request.headers.get("range") : null;
  const range = asked === null ? undefined : parseRange(asked, blob.size);
  if (range === undefined) return { status: 200, headers, body: part(content, 0, blob.size) };
  if (range === "unsatisfiable") {
    throw refusal(416, "SIZE_INVALID", `the blob has ${blob.size} bytes`, {
      headers: { "content-range": `bytes */${blob.size}` },
    });
  }
  const last = range.offset + range.length - 1;
  return {
    status: 206,
    headers: { ...headers, "content-range": `bytes ${range.offset}-${last}/${blob.size}` },
    body: part(content, range.offset, range.length),
  };
}

/** The blob alone is gone: distribution-spec v1.1.1, "Deleting Blobs". A manifest is not deleted in this way. */
export async function deleteBlob({ storage, io }: Exchange, route: BlobRoute): Promise<ServerResponse> {
  const digest = usableDigest(route.reference);
  if (!(await existing(storage, route.repository).removeBlob(digest, io))) throw unknownBlob(digest);
  return { status: 202, headers: {} };
}

/**
 * The part of `size` bytes that a Range header asks for; undefined where the whole is to be sent: for several ranges,
 * another unit or what is not a range at all (RFC 9110, section 14.2).
 */
export function parseRange(
  header: string,
  size: number,
): { readonly offset: number; readonly length: number } | "unsatisfiable" | undefined {
  const match = /^bytes=([0-9]{0,15})-([0-9]{0,15})$/.exec(header.trim());
  if (match === null) return undefined;
  const [, first = "", last = ""] = match;
  if (first === "" && last === "") return undefined;
  if (first === "") {
    const length = Math.min(Number(last), size);
    return length === 0 ? "unsatisfiable" : { offset: size - length, length };
  }
  const offset = Number(first);
  if (last !== "" && Number(last) < offset) return undefined;
  if (offset >= size) return "unsatisfiable";
  const end = last === "" ? size : Math.min(Number(last) + 1, size);
  return { offset, length: end - offset };
}

function unknownBlob(digest: string): Error {
  return refusal(404, "BLOB_UNKNOWN", "there is no such blob in this repository", { detail: { digest } });
}
