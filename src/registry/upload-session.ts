import type { Content, Io } from "../core/content.ts";
import { isLibraryError, LibraryError, RegistryError } from "../core/error.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import { type Digest, splitDigest } from "../oci/digest.ts";
import type { RegistryClient, RegistryResponse } from "./client.ts";
import { checkContentDigest } from "./content-digest.ts";
import { discard } from "./discard.ts";
import { parseUploadRange } from "./range.ts";
import { repositoryScope } from "./scope.ts";

/** An upload that a registry has begun; `location` changes with each of its answers, and only the newest counts. */
export interface UploadSession {
  location: URL;
  /** Bytes below which the registry takes no chunk but the last: `OCI-Chunk-Min-Length`. */
  readonly leastChunkBytes: number;
}

/** What the requests of one upload have in common. */
export interface UploadRequest {
  readonly client: RegistryClient;
  readonly blob: Descriptor;
  readonly scopes: readonly string[];
  readonly purpose: string;
  readonly io: Io;
}

/** Storage behind a registry may take minutes to move a large blob to its place. */
const finishTimeoutMs = 300_000;
const cancelTimeoutMs = 5_000;
const largestLeastChunk = 1024 * 1024 * 1024;
const nothing = new Uint8Array(0);

/**
 * A new upload session, or `mounted` where the registry took the blob over from `mountFrom`. Where a mount is refused
 * for whatever reason, a plain session is asked for. distribution-spec v1.1.1, "Mounting a blob from another repository".
 */
export async function beginUpload(
  client: RegistryClient,
  digest: Digest,
  mountFrom: string | undefined,
  scopes: readonly string[],
  purpose: string,
  io: Io,
): Promise<UploadSession | "mounted"> {
  const { algorithm } = splitDigest(digest);
  const plain: readonly string[] = algorithm === "sha256" ? [] : [`digest-algorithm=${encodeURIComponent(algorithm)}`];
  const post = (query: readonly string[], wanted: readonly string[]) =>
    client.send(
      {
        method: "POST",
        target: `${client.uploadsPath()}${query.length === 0 ? "" : `?${query.join("&")}`}`,
        body: nothing,
        scopes: wanted,
        purpose,
        accept: [201, 202],
      },
      io,
    );
  if (mountFrom !== undefined) {
    const mount = [`mount=${encodeURIComponent(digest)}`, `from=${encodeURIComponent(mountFrom)}`];
    const source = repositoryScope(mountFrom, "pull");
    try {
      const response = await post([...mount, ...plain], [...scopes, source]);
      if (response.status === 201) {
        await discard(response);
        checkContentDigest(response.headers, digest, purpose);
        return "mounted";
      }
      return await sessionOf(client, response, purpose);
    } catch (error) {
      if (!(error instanceof RegistryError)) throw error;
      io.emit({ kind: "debug", message: `No mount of ${digest} from ${mountFrom}: ${error.message}` });
    }
  }
  const response = await post(plain, scopes);
  if (response.status === 202) return sessionOf(client, response, purpose);
  await discard(response);
  throw new LibraryError("registry-error", `Cannot ${purpose}: ${client.registry} answered 201, expected 202`);
}

async function sessionOf(client: RegistryClient, response: RegistryResponse, purpose: string): Promise<UploadSession> {
  await discard(response);
  const location = client.location(response, purpose);
  if (location === undefined) {
    throw new LibraryError(
      "registry-error",
      `Cannot ${purpose}: ${client.registry} began an upload without a Location`,
    );
  }
  const least = /^[0-9]{1,12}$/.exec(response.headers.get("oci-chunk-min-length")?.trim() ?? "")?.[0];
  return { location, leastChunkBytes: Math.min(Number(least ?? 0), largestLeastChunk) };
}

/** Ends the upload, with the whole blob as its body or, after chunks, without one: the blob is in the repository. */
export async function finishUpload(
  { client, blob, scopes, purpose, io }: UploadRequest,
  session: UploadSession,
  body: { readonly content: Content; readonly offset: number; readonly length: number } | undefined,
): Promise<void> {
  const target = new URL(session.location);
  // Not by searchParams, which would write the registry's own part of the query anew
  target.search = `${target.search === "" ? "?" : `${target.search}&`}digest=${encodeURIComponent(blob.digest)}`;
  const response = await client.send(
    {
      method: "PUT",
      target,
      headers: { "content-type": "application/octet-stream" },
      body: body === undefined || body.length === 0 ? nothing : body,
      scopes,
      purpose,
      accept: [201],
      retry: false,
      idleTimeoutMs: finishTimeoutMs,
    },
    io,
  );
  await discard(response);
  checkContentDigest(response.headers, blob.digest, purpose);
}

/** Takes over the newest address of the session. */
export function moveOn(
  client: RegistryClient,
  session: UploadSession,
  response: RegistryResponse,
  purpose: string,
): void {
  session.location = client.location(response, purpose) ?? session.location;
}

/**
 * Bytes that the session holds; undefined where the registry does not know it any more or does not tell. A `0-0` may
 * mean one byte or none and counts as none.
 */
export async function uploadOffset(
  client: RegistryClient,
  session: UploadSession,
  scopes: readonly string[],
  purpose: string,
  io: Io,
): Promise<number | undefined> {
  let response: RegistryResponse;
  try {
    const accept = [200, 202, 204];
    response = await client.send({ method: "GET", target: session.location, scopes, purpose, accept }, io);
  } catch (error) {
    if (error instanceof RegistryError && error.refusal.status < 500) return undefined;
    throw error;
  }
  await discard(response);
  const last = parseUploadRange(response.headers.get("range"));
  moveOn(client, session, response, purpose);
  return last === undefined || last === 0 ? 0 : last + 1;
}

/** Tells the registry that the upload will not go on; whether it listens changes nothing for us. */
export async function cancelUpload(
  client: RegistryClient,
  session: UploadSession,
  scopes: readonly string[],
): Promise<void> {
  // Not the Io of the upload: that may have been aborted
  const io: Io = { signal: AbortSignal.timeout(cancelTimeoutMs), emit: () => {} };
  try {
    const accept = [200, 202, 204, 404];
    const purpose = "cancel an upload";
    const request = { method: "DELETE", target: session.location, scopes, purpose, accept, retry: false } as const;
    await discard(await client.send(request, io));
  } catch (error) {
    // The session expires by itself: distribution-spec v1.1.1 requires nothing of either side
    if (!isLibraryError(error) && !io.signal.aborted) throw error;
  }
}
