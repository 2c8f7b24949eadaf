import * as v from "valibot";
import type { Io } from "../core/content.ts";
import { LibraryError, RegistryError } from "../core/error.ts";
import { isJsonObject, maxDocumentBytes, parseJson } from "../core/json.ts";
import { type Descriptor, descriptorSchema } from "../oci/descriptor.ts";
import type { Digest } from "../oci/digest.ts";
import { effectiveArtifactType } from "../oci/edges.ts";
import { parseManifest } from "../oci/manifest.ts";
import { essence, isManifestType, mediaTypes } from "../oci/media-type.ts";
import type { Referrers } from "../store/backend.ts";
import { check } from "../store/store.ts";
import type { RegistryClient, RegistryResponse } from "./client.ts";
import { discard } from "./discard.ts";
import { nextPage } from "./link.ts";
import { fetchManifest } from "./manifests.ts";
import { readReferrersTag } from "./referrers-tag.ts";

const maxPages = 1000;
const maxEntries = 100_000;
/** Entries of a fallback tag whose manifests are read to learn their types. */
const maxThinEntries = 1000;

/**
 * The referrers of a subject: from the API, or from the fallback tag where the registry has none. The first page is
 * there when this resolves. Filtered here, whatever the registry says to have filtered. A repository that does not
 * exist has no referrers. distribution-spec v1.1.1, "Listing Referrers"; "Referrers Tag Schema".
 */
export async function listReferrers(
  client: RegistryClient,
  subject: Digest,
  artifactType: string | undefined,
  scopes: readonly string[],
  io: Io,
): Promise<Referrers> {
  const first = await askApi(client, subject, artifactType, scopes, io);
  if (first === "absent") return { via: "api", entries: noEntries() };
  if (first !== "unsupported") return { via: "api", entries: pages(client, subject, artifactType, scopes, first, io) };
  const index = await readReferrersTag(client, subject, scopes, io);
  return { via: "tag", entries: fromTag(client, subject, artifactType, index?.manifests ?? [], scopes, io) };
}

/** Whether the registry has the referrers API for this repository; asked once, then remembered. */
export async function referrersSupport(
  client: RegistryClient,
  subject: Digest,
  scopes: readonly string[],
  io: Io,
): Promise<"api" | "tag"> {
  const known = client.host.referrers.get(client.repository ?? "");
  if (known) return known;
  const answer = await askApi(client, subject, undefined, scopes, io);
  if (typeof answer === "object") await discard(answer);
  return answer === "unsupported" ? "tag" : "api";
}

async function askApi(
  client: RegistryClient,
  subject: Digest,
  artifactType: string | undefined,
  scopes: readonly string[],
  io: Io,
): Promise<RegistryResponse | "absent" | "unsupported"> {
  const repository = client.repository ?? "";
  if (client.host.referrers.get(repository) === "tag") return "unsupported";
  const query = artifactType === undefined ? "" : `?artifactType=${encodeURIComponent(artifactType)}`;
  const target = `${client.path("referrers", subject)}${query}`;
  const purpose = `list the referrers of ${client.label(subject)}`;
  const headers = { accept: mediaTypes.ociIndex };
  try {
    const response = await client.send({ method: "GET", target, headers, scopes, purpose, accept: [200] }, io);
    const mediaType = essence(response.headers.get("content-type") ?? "");
    if (mediaType === mediaTypes.ociIndex) {
      client.host.referrers.set(repository, "api");
      return response;
    }
    await discard(response);
  } catch (error) {
    if (!(error instanceof RegistryError)) throw error;
    const { status, codes } = error.refusal;
    if (status === 404 && codes.includes("NAME_UNKNOWN")) return "absent";
    if (status !== 404 && status !== 405 && status !== 501) throw error;
  }
  client.host.referrers.set(repository, "tag");
  return "unsupported";
}

async function* pages(
  client: RegistryClient,
  subject: Digest,
  artifactType: string | undefined,
  scopes: readonly string[],
  first: RegistryResponse,
  io: Io,
): AsyncGenerator<Descriptor> {
  const purpose = `list the referrers of ${client.label(subject)}`;
  const seen = new Set<Digest>([subject]);
  const visited = new Set<string>();
  let response = first;
  for (let count = 1; ; count++) {
    visited.add(response.url.href);
    const bytes = await response.body.bytes(maxDocumentBytes);
    for (const entry of readEntries(bytes, purpose)) {
      if (seen.has(entry.digest)) continue;
      seen.add(entry.digest);
      if (seen.size > maxEntries) throw tooMany(purpose);
      if (artifactType === undefined || entry.artifactType === artifactType) yield entry;
    }
    const next = nextPage(response.headers, response.url, purpose);
    if (next === undefined) return;
    if (count >= maxPages) throw tooMany(purpose);
    if (visited.has(next.href)) {
      throw new LibraryError("registry-error", `Cannot ${purpose}: its pages lead back to the same page`);
    }
    const headers = { accept: mediaTypes.ociIndex };
    response = await client.send({ method: "GET", target: next, headers, scopes, purpose, accept: [200] }, io);
  }
}

const entriesSchema = v.looseObject({ manifests: v.nullable(v.array(descriptorSchema)) });

/** olareg (0.1.2) answers null for an empty list; nowhere else is null a list. */
function readEntries(bytes: Uint8Array, purpose: string): readonly Descriptor[] {
  const json = parseJson(bytes, "the list of referrers");
  const parsed = v.safeParse(entriesSchema, json);
  if (parsed.success && isJsonObject(json)) {
    // The schema checked every field that Descriptor names
    return (parsed.output.manifests ?? []) as readonly Descriptor[];
  }
  throw new LibraryError("malformed-content", `Cannot ${purpose}: the answer is no index`);
}

/**
 * Entries of a fallback tag. Some writers leave out their type (ggcr) or write another one (seen on GHCR): where nothing
 * is of the type asked for, the manifests themselves are asked.
 */
async function* fromTag(
  client: RegistryClient,
  subject: Digest,
  artifactType: string | undefined,
  listed: readonly Descriptor[],
  scopes: readonly string[],
  io: Io,
): AsyncGenerator<Descriptor> {
  const byDigest = new Map(listed.map((entry) => [entry.digest, entry]));
  byDigest.delete(subject);
  const entries = [...byDigest.values()];
  const matching =
    artifactType === undefined ? entries : entries.filter((entry) => entry.artifactType === artifactType);
  if (matching.length > 0 || artifactType === undefined) {
    yield* matching;
    return;
  }
  for (const entry of entries.slice(0, maxThinEntries)) {
    if (!isManifestType(entry.mediaType)) continue;
    const raw = await fetchManifest(client, entry.digest, scopes, io);
    if (raw === undefined) continue;
    check(raw.bytes, entry, client.label(entry.digest));
    const value = parseManifest(raw.bytes, entry.mediaType, client.label(entry.digest));
    if (effectiveArtifactType({ descriptor: entry, bytes: raw.bytes, value }) !== artifactType) continue;
    yield { ...entry, artifactType, ...(value.annotations ? { annotations: value.annotations } : {}) };
  }
}

async function* noEntries(): AsyncGenerator<Descriptor> {}

function tooMany(purpose: string): LibraryError {
  return new LibraryError("limit-exceeded", `Cannot ${purpose}: more than ${maxEntries} entries or ${maxPages} pages`);
}
