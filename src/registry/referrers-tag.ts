import type { Io } from "../core/content.ts";
import { LibraryError } from "../core/error.ts";
import { hexOf } from "../core/hashing.ts";
import { maxDocumentBytes, writeJson } from "../core/json.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import type { Digest } from "../oci/digest.ts";
import { type ImageIndex, isIndex, parseManifest } from "../oci/manifest.ts";
import { mediaTypes } from "../oci/media-type.ts";
import { referrersTag } from "../oci/referrers-tag.ts";
import { check } from "../store/store.ts";
import type { RegistryClient } from "./client.ts";
import { fetchManifest, putManifest } from "./manifests.ts";
import { removeManifest } from "./remove.ts";
import { pause } from "./retry.ts";

/** What a fallback tag shall list, and what not any more. */
export interface ReferrersChange {
  readonly add: readonly Descriptor[];
  readonly remove: readonly Digest[];
}

/**
 * The index under the fallback tag; undefined where there is no such tag (404 and nothing else). Throws
 * `unsupported-content` where something else than an index is there: it is neither empty nor ours to replace.
 */
export async function readReferrersTag(
  client: RegistryClient,
  subject: Digest,
  scopes: readonly string[],
  io: Io,
): Promise<ImageIndex | undefined> {
  const tag = referrersTag(subject);
  const name = client.label(tag);
  const raw = await fetchManifest(client, tag, scopes, io);
  // Some registries take the tag for the digest that it is made of: that is the subject, not a list
  if (raw === undefined || raw.descriptor.digest === subject) return undefined;
  const { descriptor, bytes } = raw;
  const value =
    descriptor.mediaType === mediaTypes.ociIndex ? parseManifest(bytes, descriptor.mediaType, name) : undefined;
  if (value !== undefined && isIndex(value)) return value;
  throw new LibraryError(
    "unsupported-content",
    `Cannot read the referrers of ${client.label(subject)}: ${name} is ${descriptor.mediaType}, expected an index`,
    { hint: `See what it is with "library inspect ${name}", and delete the tag if nobody needs it` },
  );
}

/** Read-backs in a row that must agree, and milliseconds before each: measured on distribution 2.8.2. */
const confirmations = 3;
const shortestPauseMs = 20;
const longestPauseMs = 150;
const maxRounds = 40;

/**
 * The subject's fallback tag lists what `change` adds and not what it removes. No registry can compare and swap, so the
 * tag is read back three times after a write, and whatever was ever seen in it is written again if another writer
 * dropped it; of 20 concurrent writers none was lost in 20 runs, but that is not atomic, and a warning says so.
 * distribution-spec v1.1.1, "Pushing Manifests with Subject".
 */
export async function updateReferrersTag(
  client: RegistryClient,
  subject: Digest,
  change: ReferrersChange,
  scopes: readonly string[],
  io: Io,
): Promise<void> {
  const tag = referrersTag(subject);
  await client.session.exclusive(`referrers ${client.label(tag)}`, async () => {
    const removed = new Set(change.remove);
    const wanted = new Map(change.add.map((entry) => [entry.digest, entry]));
    let agreed = 0;
    for (let round = 0; round < maxRounds; round++) {
      const index = await readReferrersTag(client, subject, scopes, io);
      const listed = new Map((index?.manifests ?? []).map((entry) => [entry.digest, entry]));
      for (const [digest, entry] of listed) {
        if (!removed.has(digest) && !wanted.has(digest)) wanted.set(digest, entry);
      }
      const complete = [...wanted.keys()].every((digest) => listed.has(digest));
      const clean = change.remove.every((digest) => !listed.has(digest));
      if (complete && clean) {
        // Nothing was written yet: it was so before us
        if (round === 0 || ++agreed >= confirmations) return;
      } else {
        agreed = 0;
        warn(client, io);
        await write(client, tag, index, [...wanted.values()], scopes, io);
      }
      const { random } = client.session;
      await pause(client.session, shortestPauseMs + random.fraction() * (longestPauseMs - shortestPauseMs), io);
    }
    throw new LibraryError(
      "registry-error",
      `Cannot list ${client.label(subject)}'s referrers under ${tag}: others rewrite the tag all the time`,
      { hint: "Try again when fewer programs attach to this image" },
    );
  });
}

async function write(
  client: RegistryClient,
  tag: string,
  before: ImageIndex | undefined,
  manifests: readonly Descriptor[],
  scopes: readonly string[],
  io: Io,
): Promise<void> {
  if (manifests.length === 0 && (await removeTag(client, tag, io))) return;
  const index = { ...before, schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests };
  const bytes = writeJson(index);
  if (bytes.byteLength > maxDocumentBytes) {
    throw new LibraryError(
      "limit-exceeded",
      `Cannot list referrers under ${client.label(tag)}: the index would have ${bytes.byteLength} bytes, expected at most ${maxDocumentBytes}`,
    );
  }
  const descriptor: Descriptor = {
    mediaType: mediaTypes.ociIndex,
    digest: `sha256:${hexOf("sha256", bytes)}`,
    size: bytes.byteLength,
  };
  check(bytes, descriptor, client.label(tag));
  await putManifest(client, { descriptor, bytes }, tag, [], scopes, io);
}

/** An empty list needs no tag; a registry that deletes no tags keeps the empty list. */
async function removeTag(client: RegistryClient, tag: string, io: Io): Promise<boolean> {
  return (await removeManifest(client, tag, io)) !== "unsupported";
}

function warn(client: RegistryClient, io: Io): void {
  client.session.warnOnce(
    "referrers-tag",
    `${client.label()} has no referrers API: referrers are listed under tags, which two writers can spoil for each other`,
    io,
  );
}
