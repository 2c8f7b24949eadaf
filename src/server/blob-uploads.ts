import { isLibraryError } from "../core/error.ts";
import type { ServerResponse } from "../core/ports.ts";
import type { Digest } from "../oci/digest.ts";
import { contentLength, type Exchange, usableDigest } from "./distribution.ts";
import { refusal } from "./errors.ts";
import { isStorable } from "./route.ts";
import type { ChunkClaim, UploadSession } from "./upload-session.ts";

interface UploadRoute {
  readonly repository: string;
  readonly id: string;
}

/**
 * The begin of an upload, a whole one in this request (`?digest=`) or a mount (`?mount=&from=`), which becomes an upload
 * where the blob is not to be had: distribution-spec v1.1.1, "Pushing blobs" and "Mounting a blob".
 */
export async function startUpload(exchange: Exchange, route: { readonly repository: string }): Promise<ServerResponse> {
  const { query, storage, uploads, io } = exchange;
  const { repository } = route;
  const algorithm = query.get("digest-algorithm");
  if (algorithm !== null && algorithm !== "sha256" && algorithm !== "sha512") {
    throw refusal(400, "DIGEST_INVALID", "only sha256 and sha512 can be used", { detail: algorithm.slice(0, 100) });
  }
  const mount = query.get("mount");
  const from = query.get("from");
  if (mount !== null) {
    const digest = usableDigest(mount);
    const source = from !== null && isStorable(from) ? storage.find(from) : undefined;
    if (source && (await storage.at(repository).mountBlob(digest, source, io))) return created(repository, digest);
  }
  const digest = mount === null ? query.get("digest") : null;
  const whole = digest === null ? undefined : usableDigest(digest);
  const session = await uploads.start(repository);
  if (whole !== undefined) return complete(exchange, repository, session, whole);
  return accepted(202, repository, session);
}

/** How far an upload has come: distribution-spec v1.1.1, "Pushing a blob in chunks". */
export async function uploadStatus({ uploads }: Exchange, route: UploadRoute): Promise<ServerResponse> {
  return accepted(204, route.repository, await uploads.find(route.repository, route.id));
}

/** The next chunk, or a stream of unknown length: appended. */
export async function patchUpload({ request, uploads }: Exchange, route: UploadRoute): Promise<ServerResponse> {
  const session = await uploads.find(route.repository, route.id);
  await session.alone(() => session.append(request.body(), claim(request)));
  return accepted(202, route.repository, session);
}

/** The end of an upload, with its last chunk if there is one: the blob is there, or the upload is refused and gone. */
export async function finishUpload(exchange: Exchange, route: UploadRoute): Promise<ServerResponse> {
  const session = await exchange.uploads.find(route.repository, route.id);
  const digest = usableDigest(exchange.query.get("digest") ?? "");
  return complete(exchange, route.repository, session, digest);
}

/** The upload and its bytes are gone. */
export async function cancelUpload({ uploads }: Exchange, route: UploadRoute): Promise<ServerResponse> {
  const session = await uploads.find(route.repository, route.id);
  await session.alone(() => uploads.discard(session));
  return { status: 204, headers: {} };
}

async function complete(
  { request, storage, uploads, io }: Exchange,
  repository: string,
  session: UploadSession,
  digest: Digest,
): Promise<ServerResponse> {
  await session.alone(async () => {
    try {
      const target = storage.at(repository);
      await session.complete(request.body(), claim(request), digest, (content) => target.putBlob(digest, content, io));
    } catch (error) {
      if (!isLibraryError(error, "digest-mismatch")) throw error;
      await uploads.discard(session);
      throw refusal(400, "DIGEST_INVALID", "the bytes do not have this digest", { detail: { digest } });
    }
    await uploads.discard(session);
  });
  return created(repository, digest);
}

function claim(request: Exchange["request"]): ChunkClaim {
  return { range: request.headers.get("content-range") ?? undefined, length: contentLength(request) };
}

function created(repository: string, digest: Digest): ServerResponse {
  return {
    status: 201,
    headers: { location: `/v2/${repository}/blobs/${digest}`, "docker-content-digest": digest },
  };
}

function accepted(status: number, repository: string, session: UploadSession): ServerResponse {
  return {
    status,
    headers: {
      location: `/v2/${repository}/blobs/uploads/${session.id}`,
      range: session.range,
      "docker-upload-uuid": session.id,
    },
  };
}
