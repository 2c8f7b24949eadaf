import { isLibraryError } from "../core/error.ts";
import { writeJson } from "../core/json.ts";
import type { ServerResponse } from "../core/ports.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import type { Digest } from "../oci/digest.ts";
import { effectiveArtifactType } from "../oci/edges.ts";
import { parseManifest } from "../oci/manifest.ts";
import { mediaTypes } from "../oci/media-type.ts";
import { type Exchange, usableDigest } from "./distribution.ts";
import type { Repository } from "./repository.ts";

const pageEntries = 1000;
/** Leaves room for the index around the entries, so that a page stays below the 4 MiB that clients read. */
const pageBytes = 4 * 1024 * 1024 - 64 * 1024;

/**
 * The manifests whose subject the digest is, in the order of their digests, with type and annotations; none for what is
 * not here. `artifactType` may be given more than once and takes any of them: distribution-spec v1.1.1, "Listing Referrers".
 */
export async function getReferrers(
  { query, storage, io }: Exchange,
  route: { readonly repository: string; readonly reference: string },
): Promise<ServerResponse> {
  const subject = usableDigest(route.reference);
  const types = query.getAll("artifactType").filter((type) => type !== "");
  const repository = storage.find(route.repository);
  const all = repository === undefined ? [] : await referrers(repository, subject, io);
  const wanted = types.length === 0 ? all : all.filter(({ artifactType }) => types.includes(artifactType ?? ""));
  const page = pageAfter(wanted, query.get("last") ?? "");
  const following = new URLSearchParams(query);
  following.set("last", page.at(-1)?.digest ?? "");
  const more = page.length > 0 && page.at(-1) !== wanted.at(-1);
  return {
    status: 200,
    headers: {
      "content-type": mediaTypes.ociIndex,
      ...(types.length === 0 ? {} : { "oci-filters-applied": "artifactType" }),
      ...(more ? { link: `</v2/${route.repository}/referrers/${subject}?${following}>; rel="next"` } : {}),
    },
    body: writeJson({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: page }),
  };
}

async function referrers(repository: Repository, subject: Digest, io: Exchange["io"]): Promise<readonly Descriptor[]> {
  const listed = await repository.listedReferrers(subject, io);
  const digests = [...new Set(listed.map(({ digest }) => digest))].sort();
  const found: Descriptor[] = [];
  for (const digest of digests) {
    const entry = await referrer(repository, digest, subject, io);
    if (entry) found.push(entry);
  }
  return found;
}

/** The descriptor as the API gives it, made from the manifest itself; undefined where it is about something else. */
async function referrer(repository: Repository, digest: Digest, subject: Digest, io: Exchange["io"]) {
  const manifest = await read(repository, digest, io);
  if (manifest?.value.subject?.digest !== subject) return undefined;
  const artifactType = effectiveArtifactType(manifest);
  const { annotations } = manifest.value;
  const { mediaType, size } = manifest.descriptor;
  return {
    mediaType,
    digest,
    size,
    ...(artifactType ? { artifactType } : {}),
    ...(annotations && Object.keys(annotations).length > 0 ? { annotations } : {}),
  };
}

/** The manifest, if there is one that can be read: what else a layout lists is no referrer. */
async function read(repository: Repository, reference: string, io: Exchange["io"]) {
  try {
    const raw = await repository.manifest(reference, io);
    if (raw === undefined) return undefined;
    return { ...raw, value: parseManifest(raw.bytes, raw.descriptor.mediaType, reference) };
  } catch (error) {
    if (isLibraryError(error)) return undefined;
    throw error;
  }
}

function pageAfter(entries: readonly Descriptor[], last: string): readonly Descriptor[] {
  const page: Descriptor[] = [];
  let bytes = 0;
  for (const entry of entries) {
    if (entry.digest <= last) continue;
    bytes += writeJson(entry).byteLength + 1;
    if (page.length > 0 && (page.length === pageEntries || bytes > pageBytes)) break;
    page.push(entry);
  }
  return page;
}
