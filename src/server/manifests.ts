import { isLibraryError } from "../core/error.ts";
import { hexOf } from "../core/hashing.ts";
import { maxDocumentBytes, parseJson } from "../core/json.ts";
import type { ServerResponse } from "../core/ports.ts";
import { type Digest, hashAlgorithm, isDigest } from "../oci/digest.ts";
import { edges } from "../oci/edges.ts";
import { claimedMediaType, type Manifest, parseManifest } from "../oci/manifest.ts";
import { essence, isForeignLayerType } from "../oci/media-type.ts";
import { isTag } from "../oci/reference.ts";
import { collect } from "../store/store.ts";
import { contentLength, type Exchange, existing, usableDigest } from "./distribution.ts";
import { Refusal, type RegistryProblem, refusal } from "./errors.ts";
import type { Repository } from "./repository.ts";

interface ManifestRoute {
  readonly repository: string;
  readonly reference: string;
}

/** The manifest as it was pushed, whatever the request accepts: distribution-spec v1.1.1, "Pulling manifests". */
export async function getManifest({ request, storage, io }: Exchange, route: ManifestRoute): Promise<ServerResponse> {
  const reference = knownReference(route.reference);
  const found = await find(existing(storage, route.repository), reference, io);
  if (found === undefined) throw unknownManifest(reference);
  const { descriptor, bytes } = found;
  const etag = `"${descriptor.digest}"`;
  const headers = { "content-type": descriptor.mediaType, "docker-content-digest": descriptor.digest, etag };
  if (request.headers.get("if-none-match") === etag) return { status: 304, headers };
  return { status: 200, headers, body: bytes };
}

/**
 * Keeps a manifest, byte for byte, and points a tag at it, or with a digest and `?tag=` any number of tags at once.
 * Refused are documents that other readers could take for something else, and those whose children are not here; a
 * subject may be missing. `If-Match` and `If-None-Match: *` guard the tag. distribution-spec v1.1.1, "Pushing Manifests".
 */
export async function putManifest(exchange: Exchange, route: ManifestRoute): Promise<ServerResponse> {
  const { request, query, storage, io } = exchange;
  const reference = checkedReference(route.reference);
  const byDigest = isDigest(reference);
  const tags = byDigest ? [...new Set(query.getAll("tag"))] : [reference];
  for (const tag of tags) if (!isTag(tag)) throw badTag(tag);
  const manifest = parse(await receive(exchange), request.headers.get("content-type"), reference);
  const repository = storage.at(route.repository);
  refuseMissing(manifest, repository);
  await put(repository, manifest, tags, byDigest ? undefined : expected(request.headers), io);
  const { digest } = manifest.descriptor;
  const subject = manifest.value.subject?.digest;
  return {
    status: 201,
    headers: {
      location: `/v2/${route.repository}/manifests/${digest}`,
      "docker-content-digest": digest,
      ...(subject === undefined ? {} : { "oci-subject": subject }),
      ...(byDigest && tags.length > 0 ? { "oci-tag": tags } : {}),
    },
  };
}

/** A tag alone, or a manifest with all its tags, is gone: distribution-spec v1.1.1, "Content Management". */
export async function deleteManifest({ storage, io }: Exchange, route: ManifestRoute): Promise<ServerResponse> {
  const reference = knownReference(route.reference);
  const repository = existing(storage, route.repository);
  // Asked first, so that a blob that is no manifest is not deleted as one
  if ((await find(repository, reference, io)) === undefined) throw unknownManifest(reference);
  const removes = isDigest(reference) ? repository.removeManifest(reference, io) : repository.removeTag(reference, io);
  if (!(await removes)) throw unknownManifest(reference);
  return { status: 202, headers: {} };
}

/** The manifest, or undefined where the reference names none, one that a sparse layout lacks, or more than one. */
async function find(repository: Repository, reference: string, io: Exchange["io"]) {
  try {
    return await repository.manifest(reference, io);
  } catch (error) {
    const notOne = ["ambiguous-reference", "blob-missing", "limit-exceeded"] as const;
    if (notOne.some((code) => isLibraryError(error, code))) return undefined;
    throw error;
  }
}

async function receive({ request }: Exchange): Promise<Uint8Array> {
  const length = contentLength(request);
  if (length !== undefined && length > maxDocumentBytes) throw tooLarge();
  try {
    return await collect(request.body(), maxDocumentBytes, "the manifest");
  } catch (error) {
    throw isLibraryError(error, "limit-exceeded") ? tooLarge() : error;
  }
}

function parse(bytes: Uint8Array, contentType: string | null, reference: string): Manifest {
  const algorithm = isDigest(reference) ? hashAlgorithm(reference) : "sha256";
  const digest: Digest = `${algorithm}:${hexOf(algorithm, bytes)}`;
  if (isDigest(reference) && digest !== reference) {
    throw refusal(400, "DIGEST_INVALID", "the bytes do not have this digest", { detail: { digest } });
  }
  try {
    const type = contentType === null ? claimedMediaType(parseJson(bytes, "the manifest")) : essence(contentType);
    const mediaType = type ?? "";
    const value = parseManifest(bytes, mediaType, "the manifest");
    return { descriptor: { mediaType, digest, size: bytes.byteLength }, bytes, value };
  } catch (error) {
    if (!isLibraryError(error)) throw error;
    throw refusal(400, "MANIFEST_INVALID", error.message);
  }
}

/** Every config, layer and member must be here in its size; layers that are not to be distributed need not. */
function refuseMissing(manifest: Manifest, repository: Repository): void {
  const problems: RegistryProblem[] = [];
  for (const { role, descriptor } of edges(manifest)) {
    if (role === "subject" || (role === "layer" && isForeignLayerType(descriptor.mediaType))) continue;
    const blob = repository.blob(usableDigest(descriptor.digest));
    if (blob?.size === descriptor.size) continue;
    const { mediaType, digest, size } = descriptor;
    problems.push(
      blob === undefined
        ? {
            code: "MANIFEST_BLOB_UNKNOWN",
            message: `a ${role} is not in this repository`,
            detail: { mediaType, digest, size },
          }
        : {
            code: "MANIFEST_INVALID",
            message: `a ${role} has ${blob.size} bytes`,
            detail: { mediaType, digest, size },
          },
    );
  }
  if (problems.length > 0) throw new Refusal(400, problems.slice(0, 100));
}

async function put(
  repository: Repository,
  manifest: Manifest,
  tags: readonly string[],
  expect: Digest | "absent" | undefined,
  io: Exchange["io"],
): Promise<void> {
  try {
    await repository.putManifest(manifest, tags, expect, io);
  } catch (error) {
    if (!isLibraryError(error, "tag-moved")) throw error;
    throw refusal(412, "DENIED", "the tag does not point at what the request expects");
  }
}

/** What the tag must be now, after RFC 9110, section 13.1; a list of tags or a weak one cannot be met and is refused. */
function expected(headers: Headers): Digest | "absent" | undefined {
  if (headers.get("if-none-match") === "*") return "absent";
  const match = headers.get("if-match");
  if (match === null || match === "*") return undefined;
  const digest = /^"([^"]+)"$/.exec(match)?.[1];
  if (digest !== undefined && isDigest(digest)) return digest;
  throw refusal(412, "DENIED", "If-Match is not the ETag of one manifest");
}

/** A reference to write to. */
function checkedReference(reference: string): string {
  if (isTag(reference)) return reference;
  if (reference.includes(":")) return usableDigest(reference);
  throw badTag(reference);
}

/** A reference to what should be there: what cannot be a tag is not. */
function knownReference(reference: string): string {
  if (isTag(reference)) return reference;
  if (reference.includes(":")) return usableDigest(reference);
  throw unknownManifest(reference.slice(0, 300));
}

function badTag(tag: string): Error {
  return refusal(400, "MANIFEST_INVALID", "not a tag", { detail: { tag: tag.slice(0, 300) } });
}

function tooLarge(): Error {
  return refusal(413, "SIZE_INVALID", `a manifest may have at most ${maxDocumentBytes} bytes`);
}

function unknownManifest(reference: string): Error {
  return refusal(404, "MANIFEST_UNKNOWN", "there is no such manifest in this repository", { detail: { reference } });
}
