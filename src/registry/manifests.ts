import type { Io } from "../core/content.ts";
import { LibraryError, RegistryError, UnsupportedError } from "../core/error.ts";
import { hexOf } from "../core/hashing.ts";
import { maxDocumentBytes, parseJson } from "../core/json.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import { type Digest, hashAlgorithm, isDigest, splitDigest } from "../oci/digest.ts";
import { claimedMediaType } from "../oci/manifest.ts";
import { essence, manifestMediaTypes } from "../oci/media-type.ts";
import type { RawManifest } from "../store/backend.ts";
import { check } from "../store/store.ts";
import type { RegistryClient } from "./client.ts";
import { checkContentDigest, contentDigest } from "./content-digest.ts";
import { discard, discardHead } from "./discard.ts";

/** Three of five registries answer 404 where the types are not listed one by one. */
const acceptHeader = { accept: manifestMediaTypes.join(", ") };

/**
 * The manifest under a tag or digest; undefined where there is none. Under a tag its digest is computed here, or checked
 * here where the registry names one; under a digest it is the digest asked for, not checked yet.
 * distribution-spec v1.1.1, "Pulling manifests".
 */
export async function fetchManifest(
  client: RegistryClient,
  reference: string,
  scopes: readonly string[],
  io: Io,
): Promise<RawManifest | undefined> {
  const purpose = `pull manifest ${client.label(reference)}`;
  const target = client.path("manifests", reference);
  const accept = [200, ...absentStatuses(reference)];
  const response = await client.send({ method: "GET", target, headers: acceptHeader, scopes, purpose, accept }, io);
  if (response.status !== 200) {
    await discard(response);
    return undefined;
  }
  const bytes = await response.body.bytes(maxDocumentBytes);
  const { headers } = response;
  const digest = isDigest(reference) ? reference : digestOf(bytes, contentDigest(headers));
  const descriptor = { mediaType: typeOf(headers, bytes, purpose), digest, size: bytes.byteLength };
  if (!isDigest(reference)) check(bytes, descriptor, client.label(reference));
  return { descriptor, bytes };
}

/** What the registry says of a manifest without sending it; undefined where there is none. */
export async function statManifest(
  client: RegistryClient,
  reference: string,
  scopes: readonly string[],
  io: Io,
): Promise<Descriptor | undefined> {
  const purpose = `look up manifest ${client.label(reference)}`;
  const target = client.path("manifests", reference);
  const accept = [200, 405, ...absentStatuses(reference)];
  const response = await client.send({ method: "HEAD", target, headers: acceptHeader, scopes, purpose, accept }, io);
  await discardHead(response);
  if (response.status !== 200 && response.status !== 405) return undefined;
  const { headers } = response;
  if (isDigest(reference)) checkContentDigest(headers, reference, purpose);
  const digest = isDigest(reference) ? reference : contentDigest(headers);
  const size = /^[0-9]{1,15}$/.exec(headers.get("content-length") ?? "")?.[0];
  const mediaType = essence(headers.get("content-type") ?? "");
  if (response.status === 405 || digest === undefined || size === undefined || mediaType === "") {
    return (await fetchManifest(client, reference, scopes, io))?.descriptor;
  }
  return { mediaType, digest, size: Number(size) };
}

/** What the registry said to a manifest that it took. */
export interface PutAnswer {
  /** The digest of the subject that it listed the manifest under: it has the referrers API. */
  readonly subject: string | undefined;
  /** The tags of the query that exist now. */
  readonly tags: readonly string[];
}

/**
 * The manifest is there under the reference, a digest or tag, and under those `tags` that the answer names. Throws
 * `blob-missing` where the registry lacks something that it points at, `unsupported-digest` where it does not know the
 * algorithm. The caller has checked that `bytes` are the descriptor's. distribution-spec v1.1.1, "Pushing Manifests".
 */
export async function putManifest(
  client: RegistryClient,
  manifest: RawManifest,
  reference: string,
  tags: readonly string[],
  scopes: readonly string[],
  io: Io,
): Promise<PutAnswer> {
  const { descriptor, bytes } = manifest;
  const purpose = `push manifest ${client.label(reference)}`;
  // olareg (0.1.2) takes the digest of a tagged manifest so; the others compute sha256
  const isNamed = !isDigest(reference) && splitDigest(descriptor.digest).algorithm !== "sha256";
  const named = isNamed ? [`digest=${encodeURIComponent(descriptor.digest)}`] : [];
  const query = [...named, ...tags.map((tag) => `tag=${encodeURIComponent(tag)}`)].join("&");
  const target = `${client.path("manifests", reference)}${query === "" ? "" : `?${query}`}`;
  const headers = { "content-type": descriptor.mediaType };
  try {
    const request = { method: "PUT", target, headers, body: bytes, scopes, purpose, accept: [201] } as const;
    const response = await client.send(request, io);
    await discard(response);
    checkContentDigest(response.headers, descriptor.digest, purpose);
    if (isNamed && contentDigest(response.headers) !== descriptor.digest) throw otherAlgorithm(descriptor, purpose);
    const echoed = (response.headers.get("oci-tag") ?? "").split(/[\s,]+/);
    return {
      subject: response.headers.get("oci-subject")?.trim() || undefined,
      tags: tags.filter((tag) => echoed.includes(tag)),
    };
  } catch (error) {
    throw explain(error, descriptor, purpose);
  }
}

function explain(error: unknown, { digest }: Descriptor, purpose: string): unknown {
  if (!(error instanceof RegistryError)) return error;
  const { codes } = error.refusal;
  if (codes.includes("MANIFEST_BLOB_UNKNOWN") || codes.includes("BLOB_UNKNOWN")) {
    return new RegistryError("blob-missing", error.message, error.refusal, { cause: error });
  }
  const { algorithm } = splitDigest(digest);
  if (codes.includes("DIGEST_INVALID") && algorithm !== "sha256") {
    return new UnsupportedError(`Cannot ${purpose}: the registry does not support ${algorithm}`, {
      code: "unsupported-digest",
      cause: error,
      hint: "Copy the image to a registry that supports it, or build it with sha256 digests",
    });
  }
  return error;
}

function otherAlgorithm({ digest }: Descriptor, purpose: string): Error {
  const { algorithm } = splitDigest(digest);
  return new UnsupportedError(`Cannot ${purpose}: the registry names it by another digest than ${algorithm}`, {
    code: "unsupported-digest",
    hint: "Copy the image to a registry that supports it, or build it with sha256 digests",
  });
}

/** A registry that does not know the algorithm of a digest refuses the request, and cannot have the manifest. */
function absentStatuses(reference: string): readonly number[] {
  return isDigest(reference) && splitDigest(reference).algorithm !== "sha256" ? [404, 400] : [404];
}

function digestOf(bytes: Uint8Array, claimed: Digest | undefined): Digest {
  const algorithm = claimed === undefined ? "sha256" : hashAlgorithm(claimed);
  return claimed ?? `${algorithm}:${hexOf(algorithm, bytes)}`;
}

function typeOf(headers: Headers, bytes: Uint8Array, purpose: string): string {
  const sent = essence(headers.get("content-type") ?? "");
  const mediaType = sent === "" ? claimedMediaType(parseJson(bytes, "the manifest")) : sent;
  if (mediaType !== undefined) return mediaType;
  throw new LibraryError(
    "malformed-content",
    `Cannot ${purpose}: neither the registry nor the manifest tells its type`,
  );
}
