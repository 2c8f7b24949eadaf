import type { Io } from "../core/content.ts";
import { isLibraryError, LibraryError } from "../core/error.ts";
import { maxDocumentBytes } from "../core/json.ts";
import { type Annotations, annotationKeys } from "../oci/annotations.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import type { Digest } from "../oci/digest.ts";
import { edges, effectiveArtifactType } from "../oci/edges.ts";
import { blobPath } from "../oci/layout.ts";
import { type Manifest, parseManifest } from "../oci/manifest.ts";
import { isIndexType, isManifestType } from "../oci/media-type.ts";
import { referrersTag } from "../oci/referrers-tag.ts";
import type { LayoutFiles } from "./layout-files.ts";
import { isNamed, type LayoutIndex, refName } from "./layout-index.ts";
import { limiter } from "./limit.ts";
import { check, collect } from "./store.ts";

/** Bounds of what is looked through for referrers. */
export const layoutGraphLimits = { depth: 8, manifests: 100_000 } as const;

/** What is kept of a manifest that was read once; content under a digest never changes. */
interface Facts {
  /** With the manifest's own artifactType and annotations, as referrers are listed. */
  readonly listed: Descriptor;
  readonly subject: Digest | undefined;
  /** Members of an index, as the index describes them. */
  readonly members: readonly Descriptor[];
}

/** image-spec pull request 1171, as olareg writes it: names the subject of an index of referrers. */
const referrerSubject = "org.opencontainers.image.referrer.subject";

/** Entry annotations that are about the entry and not copied from its manifest. */
const entryKeys: readonly string[] = [
  annotationKeys.refName,
  annotationKeys.containerdImageName,
  annotationKeys.containerdSubject,
];

/** What refers to what in a layout: manifests below index.json's entries are read once each, when they are needed. */
export class LayoutGraph {
  readonly #files: LayoutFiles;
  readonly #facts = new Map<Digest, Facts | undefined>();
  #known: { readonly index: LayoutIndex; readonly referrers: ReadonlyMap<Digest, readonly Descriptor[]> } | undefined;

  constructor(files: LayoutFiles) {
    this.#files = files;
  }

  /**
   * The referrers of a subject, each once, in the order of index.json: entries annotated with it (buildx), manifests
   * listed or below a listed index whose `subject` it is (oras, BuildKit), members of the index under its fallback tag
   * (regctl) and of an index annotated as its referrers (olareg).
   */
  async referrers(index: LayoutIndex, subject: Digest, io: Io): Promise<readonly Descriptor[]> {
    if (this.#known?.index !== index) this.#known = { index, referrers: await this.#gather(index, io) };
    const found = new Map<Digest, Descriptor>();
    for (const descriptor of this.#known.referrers.get(subject) ?? []) found.set(descriptor.digest, descriptor);
    for (const listing of index.entries) {
      if (!isListingOf(listing.descriptor, subject)) continue;
      for (const member of (await this.#read(listing.descriptor, io))?.members ?? []) {
        // Dropped from the layout but still in the listing: some tools delete only the blob
        if (!found.has(member.digest) && (await this.#isThere(member, io))) {
          found.set(member.digest, member.artifactType ? member : ((await this.#read(member, io))?.listed ?? member));
        }
      }
    }
    return [...found.values()];
  }

  /** The entries without a name that are no referrers and no members of another one; where only such are there, the one entry. */
  async unnamedRoots(index: LayoutIndex, io: Io): Promise<Descriptor[]> {
    const unnamed = new Map<Digest, Descriptor>();
    for (const { descriptor } of index.entries) {
      if (!isNamed(descriptor) && !(referrerSubject in (descriptor.annotations ?? {}))) {
        unnamed.set(descriptor.digest, descriptor);
      }
    }
    if (unnamed.size <= 1) return [...unnamed.values()];
    const members = new Set<Digest>();
    const referrers = new Set<Digest>();
    for (const [digest, descriptor] of unnamed) {
      const facts = await this.#read(descriptor, io);
      for (const member of facts?.members ?? []) members.add(member.digest);
      if (facts?.subject || descriptor.annotations?.[annotationKeys.containerdSubject]) referrers.add(digest);
    }
    return [...unnamed.values()].filter(({ digest }) => !members.has(digest) && !referrers.has(digest));
  }

  /** Whether the entry is a listing of referrers under its subject's fallback tag. */
  isFallbackTag(descriptor: Descriptor): boolean {
    return isIndexType(descriptor.mediaType) && /^sha(?:256|512)-[0-9a-f]{64}$/.test(refName(descriptor) ?? "");
  }

  async #gather(index: LayoutIndex, io: Io): Promise<ReadonlyMap<Digest, readonly Descriptor[]>> {
    const referrers = new Map<Digest, Map<Digest, Descriptor>>();
    const add = (subject: string, descriptor: Descriptor): void => {
      // Only compared with digests, never used as one
      const key = subject as Digest;
      const known = referrers.get(key) ?? new Map<Digest, Descriptor>();
      if (!known.has(descriptor.digest)) known.set(descriptor.digest, descriptor);
      referrers.set(key, known);
    };
    const limit = limiter(16);
    const seen = new Set<Digest>();
    let level = index.entries.map((entry) => entry.descriptor);
    for (let depth = 0; level.length > 0 && depth <= layoutGraphLimits.depth; depth++) {
      const fresh = level.filter(({ digest, mediaType }) => {
        if (seen.has(digest) || !isManifestType(mediaType)) return false;
        seen.add(digest);
        return true;
      });
      if (seen.size > layoutGraphLimits.manifests) throw this.#tooMany();
      const facts = await Promise.all(fresh.map((descriptor) => limit(() => this.#entryFacts(descriptor, io))));
      for (const found of facts) if (found?.subject) add(found.subject, found.listed);
      level = facts.flatMap((found) => found?.members ?? []);
    }
    return new Map([...referrers].map(([subject, listed]) => [subject, [...listed.values()]]));
  }

  /** As `#read`, but without reading an entry that says itself what it refers to. */
  async #entryFacts(descriptor: Descriptor, io: Io): Promise<Facts | undefined> {
    const subject = descriptor.annotations?.[annotationKeys.containerdSubject];
    if (subject === undefined || !descriptor.artifactType) {
      const facts = await this.#read(descriptor, io);
      if (facts || subject === undefined) return facts;
    }
    const { mediaType, digest, size, artifactType, annotations } = descriptor;
    const own = Object.entries(annotations ?? {}).filter(([key]) => !entryKeys.includes(key));
    const listed = { mediaType, digest, size, ...(artifactType ? { artifactType } : {}), ...annotationsOf(own) };
    return { listed, subject: subject as Digest, members: [] };
  }

  /** Undefined where the manifest is absent or cannot be used; a broken one among many is told and does not end the search. */
  async #read(descriptor: Descriptor, io: Io): Promise<Facts | undefined> {
    const { digest } = descriptor;
    if (this.#facts.has(digest)) return this.#facts.get(digest);
    io.signal.throwIfAborted();
    if (descriptor.size > maxDocumentBytes) return undefined;
    const content = await this.#files.open(blobPath(digest), io);
    if (content === undefined) return undefined;
    try {
      const bytes = await collect(await content.stream(), maxDocumentBytes, digest);
      check(bytes, descriptor, `${digest} of ${this.#files.name}`);
      const facts = factsOf({ descriptor, bytes, value: parseManifest(bytes, descriptor.mediaType, digest) });
      if (this.#facts.size < layoutGraphLimits.manifests) this.#facts.set(digest, facts);
      return facts;
    } catch (error) {
      if (!isLibraryError(error) || error.code === "io-error") throw error;
      io.emit({ kind: "warning", code: "unreadable-manifest", message: error.message });
      return undefined;
    }
  }

  async #isThere(descriptor: Descriptor, io: Io): Promise<boolean> {
    return (await this.#files.open(blobPath(descriptor.digest), io)) !== undefined;
  }

  #tooMany(): LibraryError {
    const { manifests } = layoutGraphLimits;
    return new LibraryError(
      "limit-exceeded",
      `Cannot look for referrers in ${this.#files.name}: over ${manifests} manifests`,
    );
  }
}

function isListingOf({ mediaType, annotations, ...rest }: Descriptor, subject: Digest): boolean {
  if (!isIndexType(mediaType)) return false;
  return (
    refName({ mediaType, annotations, ...rest }) === referrersTag(subject) || annotations?.[referrerSubject] === subject
  );
}

/** A referrer as an index lists it: distribution-spec v1.1.1, "Listing Referrers". */
function factsOf(manifest: Manifest): Facts {
  const { mediaType, digest, size } = manifest.descriptor;
  const artifactType = effectiveArtifactType(manifest);
  const annotations = Object.entries(manifest.value.annotations ?? {});
  return {
    listed: { mediaType, digest, size, ...(artifactType ? { artifactType } : {}), ...annotationsOf(annotations) },
    subject: manifest.value.subject?.digest,
    members: edges(manifest).flatMap(({ role, kind, descriptor }) =>
      role === "manifest" && kind === "manifest" ? [descriptor] : [],
    ),
  };
}

function annotationsOf(entries: readonly (readonly [string, string])[]): { readonly annotations?: Annotations } {
  return entries.length === 0 ? {} : { annotations: Object.fromEntries(entries) };
}
