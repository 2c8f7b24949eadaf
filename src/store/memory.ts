import type { Content, Io } from "../core/content.ts";
import { LibraryError, NotFoundError } from "../core/error.ts";
import type { Descriptor, Kind, Node } from "../oci/descriptor.ts";
import { type Digest, isDigest } from "../oci/digest.ts";
import { effectiveArtifactType } from "../oci/edges.ts";
import { type Manifest, parseManifest } from "../oci/manifest.ts";
import type { Backend, CommitEntry, Entry, Outcome, RawManifest, Referrers, Removal, Writing } from "./backend.ts";
import { pump } from "./pump.ts";
import { bytesContent, check } from "./store.ts";

/** A place in this process's memory: for small graphs that are made before they are stored, and for tests. */
export class MemoryBackend implements Backend {
  readonly name: string;
  readonly location = undefined;
  readonly order = "any";
  readonly #blobs = new Map<Digest, { readonly bytes: Uint8Array; readonly mediaType: string; readonly kind: Kind }>();
  readonly #tags = new Map<string, Digest>();
  readonly #roots = new Set<Digest>();
  /** Manifests that were looked into for their subject: content under a digest never changes. */
  readonly #parsed = new Map<Digest, Manifest["value"]>();

  constructor(name = "memory") {
    this.name = name;
  }

  /** Puts a node there at once, as a writing would: checked. */
  add(node: Node, bytes: Uint8Array): void {
    check(bytes, node.descriptor, node.descriptor.digest);
    this.#blobs.set(node.descriptor.digest, { bytes, mediaType: node.descriptor.mediaType, kind: node.kind });
  }

  async resolve(reference: string | undefined): Promise<RawManifest | undefined> {
    const digest = reference === undefined ? this.#onlyRoot() : this.#find(reference);
    const blob = digest === undefined ? undefined : this.#blobs.get(digest);
    if (digest === undefined || blob === undefined || blob.kind !== "manifest") return undefined;
    const { bytes, mediaType } = blob;
    return { descriptor: { mediaType, digest, size: bytes.byteLength }, bytes };
  }

  async stat(kind: Kind, digest: Digest): Promise<Descriptor | undefined> {
    const blob = this.#blobs.get(digest);
    if (blob === undefined || blob.kind !== kind) return undefined;
    return { mediaType: blob.mediaType, digest, size: blob.bytes.byteLength };
  }

  async read(kind: Kind, digest: Digest): Promise<Content | undefined> {
    const blob = this.#blobs.get(digest);
    return blob === undefined || blob.kind !== kind ? undefined : bytesContent(blob.bytes);
  }

  async *list(): AsyncIterable<Entry> {
    for (const [tag, digest] of [...this.#tags].sort(([a], [b]) => (a < b ? -1 : 1))) {
      const descriptor = await this.stat("manifest", digest);
      yield descriptor ? { tag, descriptor } : { tag };
    }
  }

  async referrers(subject: Descriptor, filter: { readonly artifactType?: string }): Promise<Referrers> {
    return { via: "index", entries: this.#referrers(subject.digest, filter.artifactType) };
  }

  async *#referrers(subject: Digest, artifactType: string | undefined): AsyncIterable<Descriptor> {
    for (const [digest, { bytes, mediaType, kind }] of this.#blobs) {
      if (kind !== "manifest") continue;
      const descriptor = { mediaType, digest, size: bytes.byteLength };
      const value = this.#parsed.get(digest) ?? parseManifest(bytes, mediaType, digest);
      this.#parsed.set(digest, value);
      const manifest: Manifest = { descriptor, bytes, value };
      const type = effectiveArtifactType(manifest);
      if (manifest.value.subject?.digest !== subject || (artifactType !== undefined && type !== artifactType)) continue;
      const { annotations } = manifest.value;
      yield { ...descriptor, ...(type ? { artifactType: type } : {}), ...(annotations ? { annotations } : {}) };
    }
  }

  async begin(io: Io): Promise<Writing> {
    const written = new Map<Digest, { bytes: Uint8Array; node: Node }>();
    return {
      has: async (node) => written.has(node.descriptor.digest) || this.#blobs.has(node.descriptor.digest),
      write: async (node, open): Promise<Outcome> => {
        if (written.has(node.descriptor.digest) || this.#blobs.has(node.descriptor.digest)) return "present";
        const bytes = new Uint8Array(node.descriptor.size);
        let at = 0;
        const sink = async (chunk: Uint8Array): Promise<void> => {
          bytes.set(chunk, at);
          at += chunk.byteLength;
        };
        await pump(open, node.descriptor, sink, io);
        written.set(node.descriptor.digest, { bytes, node });
        return "sent";
      },
      commit: async (entries) => {
        for (const { tag, expect } of entries) this.#checkTag(tag, expect);
        for (const { bytes, node } of written.values()) this.add(node, bytes);
        for (const entry of entries) this.#show(entry);
      },
      abort: async () => written.clear(),
    };
  }

  async remove(removal: Removal): Promise<void> {
    if ("tag" in removal) {
      if (this.#tags.delete(removal.tag)) return;
      throw new NotFoundError(`Cannot remove ${this.name}:${removal.tag}: there is no such tag`);
    }
    if (!this.#blobs.delete(removal.digest)) {
      throw new NotFoundError(`Cannot remove ${removal.digest}: ${this.name} has no such ${removal.kind}`);
    }
    this.#roots.delete(removal.digest);
    for (const [tag, digest] of this.#tags) if (digest === removal.digest) this.#tags.delete(tag);
  }

  async close(): Promise<void> {}

  #find(reference: string): Digest | undefined {
    return isDigest(reference) ? reference : this.#tags.get(reference);
  }

  #onlyRoot(): Digest | undefined {
    const digests = new Set([...this.#tags.values(), ...this.#roots]);
    if (digests.size <= 1) return [...digests][0];
    throw new LibraryError("ambiguous-reference", `Cannot choose in ${this.name}: it has ${digests.size} entries`);
  }

  #checkTag(tag: string | undefined, expect: Digest | "absent" | undefined): void {
    if (tag === undefined || expect === undefined) return;
    const is = this.#tags.get(tag) ?? "absent";
    if (is !== expect) throw tagMoved(`${this.name}:${tag}`, is, expect);
  }

  #show({ manifest, tag }: CommitEntry): void {
    const { descriptor, bytes } = manifest;
    if (!this.#blobs.has(descriptor.digest)) this.add({ kind: "manifest", descriptor }, bytes);
    if (tag === undefined) this.#roots.add(descriptor.digest);
    else this.#tags.set(tag, descriptor.digest);
  }
}

/** The error of a commit whose `expect` does not hold. */
export function tagMoved(name: string, is: string, expect: string): LibraryError {
  const found = is === "absent" ? "it does not exist" : `it points at ${is}`;
  const wanted = expect === "absent" ? "no such tag" : expect;
  return new LibraryError("tag-moved", `Cannot set ${name}: ${found}, expected ${wanted}`, {
    hint: "Give --force to move the tag",
  });
}
