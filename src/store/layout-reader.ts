import type { Content, Io } from "../core/content.ts";
import { isLibraryError, LibraryError } from "../core/error.ts";
import { isJsonObject, maxDocumentBytes, parseJson } from "../core/json.ts";
import type { Descriptor, Kind } from "../oci/descriptor.ts";
import { type Digest, isDigest } from "../oci/digest.ts";
import { blobPath, indexFile, layoutFile } from "../oci/layout.ts";
import { claimedMediaType } from "../oci/manifest.ts";
import { isManifestType } from "../oci/media-type.ts";
import type { FileLocation } from "../oci/reference.ts";
import type { Entry, RawManifest, Referrers, Source } from "./backend.ts";
import type { LayoutFiles } from "./layout-files.ts";
import { LayoutGraph } from "./layout-graph.ts";
import {
  digestNamed,
  isNamed,
  type LayoutIndex,
  layoutIndexLimits,
  listEntries,
  parseLayoutIndex,
} from "./layout-index.ts";
import { check, collect } from "./store.ts";

/** Bytes of an `oci-layout` file that are read. */
const maxMarkerBytes = 64 * 1024;

/** How often index.json is read again because it was replaced meanwhile. */
const maxReads = 100;

/** How many entries an error lists to choose from. */
const maxChoices = 10;

const anyType = "application/octet-stream";

/**
 * Reads an OCI layout, sparse ones too, from whatever holds its files; never writes. index.json is read again when it
 * has changed. image-spec v1.1.1, "OCI Image Layout Specification".
 */
export class LayoutReader implements Source {
  readonly name: string;
  readonly location: FileLocation;
  readonly #files: LayoutFiles;
  readonly #graph: LayoutGraph;
  #marked = false;
  #index: { readonly version: string; readonly index: LayoutIndex } | undefined;

  constructor(files: LayoutFiles) {
    this.name = files.name;
    this.location = files.location;
    this.#files = files;
    this.#graph = new LayoutGraph(files);
  }

  /**
   * The index as it is now; throws `not-found` where there is no layout, `malformed-content` where it breaks the
   * specification. With `fresh` it is read in any case: a file's times are too coarse to rely on for a change.
   */
  async index(io: Io, fresh = false): Promise<LayoutIndex> {
    if (!this.#marked) {
      await this.#checkMarker(io);
      this.#marked = true;
    }
    for (let attempt = 1; ; attempt++) {
      const version = await this.#files.version(io);
      if (!fresh && this.#index?.version === version && version !== "") return this.#index.index;
      try {
        const index = await this.#readIndex(io);
        this.#index = { version, index };
        return index;
      } catch (error) {
        // Replaced by another writer between the look at its size and the read: what was read is a part of it
        if (attempt === maxReads || version === (await this.#files.version(io))) throw error;
      }
    }
  }

  async resolve(reference: string | undefined, io: Io): Promise<RawManifest | undefined> {
    const index = await this.index(io);
    if (reference === undefined) return this.#rawEntry(await this.#onlyRoot(index, io), io);
    if (isDigest(reference)) return this.#rawDigest(index, reference, io);
    const digest = digestNamed(index, reference, this.name);
    return this.#rawEntry(entryOf(index, digest), io);
  }

  async stat(kind: Kind, digest: Digest, io: Io): Promise<Descriptor | undefined> {
    const index = await this.index(io);
    const content = await this.#files.open(blobPath(digest), io);
    if (content === undefined) return undefined;
    const entry = entryOf(index, digest);
    if (kind === "blob" || entry) {
      return { mediaType: entry?.mediaType ?? anyType, digest, size: content.size };
    }
    const raw = await this.#rawDigest(index, digest, io);
    return raw && { mediaType: raw.descriptor.mediaType, digest, size: content.size };
  }

  async read(_kind: Kind, digest: Digest, io: Io): Promise<Content | undefined> {
    if (!this.#marked) await this.index(io);
    return this.#files.open(blobPath(digest), io);
  }

  async *list(io: Io): AsyncIterable<Entry> {
    yield* listEntries(await this.index(io));
  }

  async referrers(subject: Descriptor, filter: { readonly artifactType?: string }, io: Io): Promise<Referrers> {
    const entries = await this.#graph.referrers(await this.index(io), subject.digest, io);
    const wanted = entries.filter(({ artifactType }) => !filter.artifactType || artifactType === filter.artifactType);
    return {
      via: "index",
      entries: (async function* () {
        yield* wanted;
      })(),
    };
  }

  async close(): Promise<void> {
    await this.#files.close();
  }

  async #readIndex(io: Io): Promise<LayoutIndex> {
    const content = await this.#files.open(indexFile, io);
    if (content === undefined) throw this.#malformed(indexFile, "there is no such file");
    if (content.size > layoutIndexLimits.bytes) {
      throw new LibraryError("limit-exceeded", `Cannot read ${this.name}: ${indexFile} has ${content.size} bytes`);
    }
    const bytes = await collect(await content.stream(), layoutIndexLimits.bytes, indexFile);
    return parseLayoutIndex(bytes, `${indexFile} of ${this.name}`);
  }

  async #onlyRoot(index: LayoutIndex, io: Io): Promise<Descriptor | undefined> {
    const named = index.entries.map((entry) => entry.descriptor).filter(isNamed);
    let roots = distinct(named.filter((descriptor) => !this.#graph.isFallbackTag(descriptor)));
    if (roots.length === 0) roots = await this.#graph.unnamedRoots(index, io);
    if (roots.length <= 1) return roots[0];
    throw new LibraryError("ambiguous-reference", `Cannot choose in ${this.name}: it has ${roots.length} entries`, {
      hint: `Name one: ${this.#choices(index, roots)}`,
    });
  }

  /** Some of the roots, each as it is written to mean it alone. */
  #choices(index: LayoutIndex, roots: readonly Descriptor[]): string {
    const tagged = listEntries(index).filter(({ tag }) => tag !== undefined);
    const tags = new Map(tagged.map(({ tag, descriptor }) => [descriptor?.digest, tag]));
    const names = roots.slice(0, maxChoices).map(({ digest }) => {
      const tag = tags.get(digest);
      return tag === undefined ? `${this.name}@${digest}` : `${this.name}:${tag}`;
    });
    return `${names.join(", ")}${roots.length > maxChoices ? `, and ${roots.length - maxChoices} more` : ""}`;
  }

  /** An entry's manifest; an entry whose blob is absent is a sparse layout's, and said to be. */
  async #rawEntry(entry: Descriptor | undefined, io: Io): Promise<RawManifest | undefined> {
    if (entry === undefined) return undefined;
    const { mediaType, digest, size } = entry;
    const bytes = await this.#manifestBytes(digest, io);
    if (bytes) return { descriptor: { mediaType, digest, size }, bytes };
    throw new LibraryError("blob-missing", `Cannot read ${digest}: ${this.name} lists this manifest but lacks it`, {
      hint: "Complete it from a place that has the whole image",
    });
  }

  /** The manifest with this digest, listed or not; undefined where there is no such blob, or it is no manifest. */
  async #rawDigest(index: LayoutIndex, digest: Digest, io: Io): Promise<RawManifest | undefined> {
    const entry = entryOf(index, digest);
    if (entry) return this.#rawEntry(entry, io);
    const content = await this.#files.open(blobPath(digest), io);
    if (content === undefined || content.size > maxDocumentBytes) return undefined;
    const bytes = await collect(await content.stream(), maxDocumentBytes, digest);
    const descriptor = { mediaType: anyType, digest, size: bytes.byteLength };
    check(bytes, descriptor, this.name); // What is not the digest's is not looked into
    const mediaType = claimed(bytes, digest);
    return mediaType === undefined ? undefined : { descriptor: { ...descriptor, mediaType }, bytes };
  }

  async #manifestBytes(digest: Digest, io: Io): Promise<Uint8Array | undefined> {
    const content = await this.#files.open(blobPath(digest), io);
    if (content === undefined) return undefined;
    if (content.size > maxDocumentBytes) {
      throw new LibraryError(
        "limit-exceeded",
        `Cannot read ${digest} of ${this.name}: ${content.size} bytes, expected at most ${maxDocumentBytes} of a manifest`,
      );
    }
    return collect(await content.stream(), maxDocumentBytes, digest);
  }

  async #checkMarker(io: Io): Promise<void> {
    const content = await this.#files.open(layoutFile, io);
    if (content === undefined) throw this.#malformed(layoutFile, "there is no such file");
    if (content.size > maxMarkerBytes) throw this.#malformed(layoutFile, `${content.size} bytes`);
    const bytes = await collect(await content.stream(), maxMarkerBytes, layoutFile);
    const marker = parseJson(bytes, `${layoutFile} of ${this.name}`);
    const version = isJsonObject(marker) ? marker.imageLayoutVersion : undefined;
    if (typeof version === "string" && /^1\.[0-9]+\.[0-9]+$/.test(version)) return;
    const found = version === undefined ? "no imageLayoutVersion" : `version ${JSON.stringify(version).slice(0, 60)}`;
    throw this.#malformed(layoutFile, `${found}, expected "1.0.0"`);
  }

  #malformed(file: string, problem: string): LibraryError {
    return new LibraryError(
      "malformed-content",
      `Cannot read ${this.name}: ${file}: ${problem}, expected an OCI layout`,
    );
  }
}

function entryOf(index: LayoutIndex, digest: Digest | undefined): Descriptor | undefined {
  return index.entries.find((entry) => entry.descriptor.digest === digest)?.descriptor;
}

function distinct(descriptors: readonly Descriptor[]): Descriptor[] {
  return [...new Map(descriptors.map((descriptor) => [descriptor.digest, descriptor])).values()];
}

/** The manifest type that a blob's bytes claim; undefined where they are no manifest. */
function claimed(bytes: Uint8Array, name: string): string | undefined {
  if (bytes[0] !== 0x7b && !/^\s*\{/.test(new TextDecoder().decode(bytes.subarray(0, 64)))) return undefined;
  try {
    const type = claimedMediaType(parseJson(bytes, name));
    return type !== undefined && isManifestType(type) ? type : undefined;
  } catch (error) {
    if (isLibraryError(error, "malformed-json")) return undefined; // A blob need not be JSON
    throw error;
  }
}
