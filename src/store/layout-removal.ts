import { unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Io } from "../core/content.ts";
import { isLibraryError, type LibraryError, NotFoundError } from "../core/error.ts";
import { maxDocumentBytes } from "../core/json.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import type { Digest } from "../oci/digest.ts";
import { edges } from "../oci/edges.ts";
import { blobPath } from "../oci/layout.ts";
import { parseManifest } from "../oci/manifest.ts";
import { isManifestType } from "../oci/media-type.ts";
import type { Removal } from "./backend.ts";
import { syncPath } from "./durable.ts";
import { errorCode, fileError } from "./file-error.ts";
import { layoutGraphLimits } from "./layout-graph.ts";
import { findNamed, isNamed, type LayoutIndex, withoutEntries } from "./layout-index.ts";
import { changeLayoutIndex, type LayoutPlace } from "./layout-writing.ts";
import { limiter } from "./limit.ts";
import type { Staging } from "./staging.ts";
import { check, collect } from "./store.ts";

/**
 * Removes a tag alone; or a manifest with all its entries, and its file unless something that is listed holds it; or a
 * blob's file. Other files of a removed manifest stay. Throws `not-found` where there was nothing to remove.
 */
export async function removeFromLayout(place: LayoutPlace, staging: Staging, removal: Removal, io: Io): Promise<void> {
  await place.reader.index(io); // Where there is no layout this says so, before a lock is made there
  if ("tag" in removal) return removeTag(place, staging, removal.tag, io);
  if (removal.kind === "manifest") return removeManifest(place, staging, removal.digest, io);
  return removeFile(place, staging, removal.digest, io);
}

async function removeFile(place: LayoutPlace, staging: Staging, digest: Digest, io: Io): Promise<void> {
  const unchanged = (index: LayoutIndex): LayoutIndex => index;
  await changeLayoutIndex(place, staging, io, unchanged, async (index) => {
    if (index.entries.some((entry) => entry.descriptor.digest === digest)) throw notFound(place, digest);
    if (!(await removeBlob(place, digest))) throw notFound(place, digest);
  });
}

async function removeTag(place: LayoutPlace, staging: Staging, tag: string, io: Io): Promise<void> {
  await changeLayoutIndex(place, staging, io, (index) => {
    const named = findNamed(index, tag).filter(isNamed);
    if (named.length === 0) {
      throw new NotFoundError(`Cannot remove ${place.reader.name}:${tag}: there is no such tag`);
    }
    return withoutEntries(index, (descriptor) => named.includes(descriptor));
  });
}

/** Looks and unlinks under one lock: a commit in between could list what holds the file. */
async function removeManifest(place: LayoutPlace, staging: Staging, digest: Digest, io: Io): Promise<void> {
  const withoutIt = async (index: LayoutIndex): Promise<LayoutIndex> => {
    const isListed = index.entries.some((entry) => entry.descriptor.digest === digest);
    if (!isListed && (await place.reader.stat("manifest", digest, io)) === undefined) throw notFound(place, digest);
    return isListed ? withoutEntries(index, (descriptor) => descriptor.digest === digest) : index;
  };
  await changeLayoutIndex(place, staging, io, withoutIt, async (index) => {
    if (!(await isHeld(place, index, digest, io))) await removeBlob(place, digest);
  });
}

/** Whether anything below the index's entries holds the digest; also yes where something below cannot be read. */
async function isHeld(place: LayoutPlace, index: LayoutIndex, digest: Digest, io: Io): Promise<boolean> {
  const limit = limiter(16);
  const seen = new Set<Digest>();
  let level = index.entries.map((entry) => entry.descriptor);
  for (let depth = 0; level.length > 0; depth++) {
    if (level.some((descriptor) => descriptor.digest === digest)) return true;
    const fresh = level.filter((descriptor) => isManifestType(descriptor.mediaType) && !seen.has(descriptor.digest));
    for (const descriptor of fresh) seen.add(descriptor.digest);
    if (depth > layoutGraphLimits.depth || seen.size > layoutGraphLimits.manifests) return true;
    const children = await Promise.all(fresh.map((descriptor) => limit(() => childrenOf(place, descriptor, io))));
    if (children.includes(undefined)) return true;
    level = children.flatMap((found) => found ?? []);
  }
  return false;
}

async function childrenOf(place: LayoutPlace, descriptor: Descriptor, io: Io): Promise<Descriptor[] | undefined> {
  const content = await place.reader.read("manifest", descriptor.digest, io);
  if (content === undefined) return undefined;
  try {
    const bytes = await collect(await content.stream(), maxDocumentBytes, descriptor.digest);
    check(bytes, descriptor, descriptor.digest);
    const value = parseManifest(bytes, descriptor.mediaType, descriptor.digest);
    return edges({ descriptor, bytes, value }).flatMap((edge) => (edge.role === "subject" ? [] : [edge.descriptor]));
  } catch (error) {
    if (isLibraryError(error) && error.code !== "io-error") return undefined;
    throw error;
  }
}

async function removeBlob(place: LayoutPlace, digest: Digest): Promise<boolean> {
  if ((await place.files.open(blobPath(digest))) === undefined) return false;
  const path = join(place.root, blobPath(digest));
  try {
    await unlink(path);
  } catch (cause) {
    if (errorCode(cause) === "ENOENT") return false;
    throw fileError("remove", path, cause);
  }
  await syncPath(dirname(path));
  return true;
}

function notFound(place: LayoutPlace, digest: Digest): LibraryError {
  return new NotFoundError(`Cannot remove ${digest}: ${place.reader.name} has nothing with this digest`);
}
