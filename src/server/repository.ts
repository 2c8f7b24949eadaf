import { lstatSync, statSync } from "node:fs";
import { link, mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Content, Io } from "../core/content.ts";
import { IntegrityError, isLibraryError } from "../core/error.ts";
import { hexOf } from "../core/hashing.ts";
import type { Hash } from "../core/ports.ts";
import type { Descriptor, Node } from "../oci/descriptor.ts";
import { type Digest, hashAlgorithm, isDigest, splitDigest } from "../oci/digest.ts";
import { blobPath, indexFile } from "../oci/layout.ts";
import { type Manifest, parseManifest } from "../oci/manifest.ts";
import { isManifestType } from "../oci/media-type.ts";
import { isTag } from "../oci/reference.ts";
import type { Backend, CommitEntry, RawManifest, Removal, Writing } from "../store/backend.ts";
import { fileContent } from "../store/file-content.ts";
import { errorCode, fileError } from "../store/file-error.ts";
import { bytesContent, check, collect } from "../store/store.ts";
import type { ManifestCache } from "./manifest-cache.ts";

/** A blob of a repository: its file and its size in bytes. */
export interface StoredBlob {
  readonly path: string;
  readonly size: number;
}

/** One repository: its layout, and what was read from it lately. Other processes may change the layout at any time. */
export class Repository {
  readonly #path: string;
  readonly #layout: Backend;
  readonly #hash: Hash;
  readonly #cache: ManifestCache;
  #writes = 0;
  #tags: { readonly stamp: string; readonly tags: readonly string[] } | undefined;

  constructor(path: string, layout: Backend, hash: Hash, cache: ManifestCache) {
    this.#path = path;
    this.#layout = layout;
    this.#hash = hash;
    this.#cache = cache;
  }

  /** The manifest that a tag or digest names, with the digest that it was checked against; throws `digest-mismatch`. */
  async manifest(reference: string, io: Io): Promise<RawManifest | undefined> {
    // What a digest names never changes; what a tag names does with index.json
    const stamp = isDigest(reference) ? "" : this.#stamp();
    const key = `${this.#path}\n${reference}`;
    const known = this.#cache.get(key, stamp);
    if (known && this.blob(known.descriptor.digest)) return known;
    const manifest = await this.#layout.resolve(reference, io);
    if (manifest === undefined) return undefined;
    check(manifest.bytes, manifest.descriptor, `${this.#layout.name}: ${reference}`);
    if (!isManifest(manifest)) return undefined;
    this.#cache.put(key, stamp, manifest);
    return manifest;
  }

  /** The blob or manifest of that digest: a regular file that no symbolic link leads to. */
  blob(digest: Digest): StoredBlob | undefined {
    const path = join(this.#path, blobPath(digest));
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (!found?.isFile()) return undefined;
    const folder = dirname(path);
    const isPlain = [folder, dirname(folder)].every((parent) => lstatSync(parent).isDirectory());
    return isPlain ? { path, size: found.size } : undefined;
  }

  /** All tags in the order of their code points; of an entry with a full reference as its name, the tag in it if it is clear. */
  async tags(io: Io): Promise<readonly string[]> {
    const stamp = this.#stamp();
    if (this.#tags?.stamp === stamp) return this.#tags.tags;
    const tags = new Set<string>();
    for await (const entry of this.#layout.list(io)) {
      if (entry.tag !== undefined && isTag(entry.tag)) tags.add(entry.tag);
    }
    this.#tags = { stamp, tags: [...tags].sort() };
    return this.#tags.tags;
  }

  /** What the layout lists as referrers of a subject, in its order; a hint until each one's manifest is read. */
  async listedReferrers(subject: Digest, io: Io): Promise<readonly Descriptor[]> {
    const descriptor = { mediaType: "application/octet-stream", digest: subject, size: this.blob(subject)?.size ?? 0 };
    const listed: Descriptor[] = [];
    for await (const entry of (await this.#layout.referrers(descriptor, {}, io)).entries) listed.push(entry);
    return listed;
  }

  /** The blob is there, durably; throws `digest-mismatch` or `size-mismatch`, also where the right one was there. */
  async putBlob(digest: Digest, content: Content, io: Io): Promise<void> {
    const node: Node = {
      kind: "blob",
      descriptor: { mediaType: "application/octet-stream", digest, size: content.size },
    };
    await this.#write(io, async (writing) => {
      const outcome = await writing.write(node, async () => content);
      if (outcome === "present") await this.#verify(digest, content, io);
      await writing.commit([]);
    });
  }

  /** The blob is here as a second name of the file that it has there; false where that cannot be done. */
  async mountBlob(digest: Digest, from: Repository, io: Io): Promise<boolean> {
    if (this.blob(digest)) return true;
    const source = from.blob(digest);
    if (source === undefined) return false;
    await this.#write(io, (writing) => writing.commit([])); // makes the layout where there is none yet
    const target = join(this.#path, blobPath(digest));
    await mkdir(dirname(target), { recursive: true });
    try {
      await link(source.path, target);
      return true;
    } catch (error) {
      const code = errorCode(error);
      if (code === "EEXIST") return true;
      if (code === "ENOENT") return false;
      if (code !== "EXDEV" && code !== "EPERM" && code !== "EMLINK") throw fileError("write", target, error);
      await this.putBlob(digest, fileContent(source.path, source.size), io);
      return true;
    }
  }

  /**
   * The manifest is there, and every tag points at it; throws `tag-moved` where a tag is not what `expect` says. Without
   * a tag it is not listed in index.json, unless it has a subject or its type cannot be told from its bytes: the members
   * of an index would make a repository look like many images to tools that know no registry.
   */
  async putManifest(
    manifest: Manifest,
    tags: readonly string[],
    expect: Digest | "absent" | undefined,
    io: Io,
  ): Promise<void> {
    const node: Node = { kind: "manifest", descriptor: manifest.descriptor };
    const tagged = tags.map((tag): CommitEntry => ({ manifest, tag, ...(expect === undefined ? {} : { expect }) }));
    await this.#write(io, async (writing) => {
      await writing.write(node, async () => bytesContent(manifest.bytes));
      const isTold = manifest.value.mediaType !== undefined;
      await writing.commit(tagged.length > 0 || isTold ? tagged : [{ manifest }]);
    });
  }

  /** The tag alone is gone; false where it was not there. */
  async removeTag(tag: string, io: Io): Promise<boolean> {
    return this.#remove({ tag }, io);
  }

  /**
   * The manifest is gone with all its tags, also where an index still lists it: it was asked for by its digest. False
   * where it was not there.
   */
  async removeManifest(digest: Digest, io: Io): Promise<boolean> {
    if (!(await this.#remove({ kind: "manifest", digest }, io))) return false;
    if (this.blob(digest)) await this.#remove({ kind: "blob", digest }, io);
    return true;
  }

  /** The blob is gone; false where it was not there or is a manifest that the layout lists. */
  async removeBlob(digest: Digest, io: Io): Promise<boolean> {
    return this.#remove({ kind: "blob", digest }, io);
  }

  async #remove(removal: Removal, io: Io): Promise<boolean> {
    try {
      await this.#layout.remove(removal, io);
      return true;
    } catch (error) {
      if (isLibraryError(error, "not-found")) return false;
      throw error;
    } finally {
      this.#writes++;
    }
  }

  async #write(io: Io, body: (writing: Writing) => Promise<void>): Promise<void> {
    const writing = await this.#layout.begin(io);
    try {
      await body(writing);
    } catch (error) {
      await writing.abort({ keepPartial: false });
      throw error;
    } finally {
      this.#writes++;
    }
  }

  async #verify(digest: Digest, content: Content, io: Io): Promise<void> {
    const algorithm = hashAlgorithm(digest);
    const hex = content.file
      ? await this.#hash.file(content.file, algorithm, io.signal)
      : hexOf(algorithm, await collect(await content.stream(), content.size, digest));
    if (hex === splitDigest(digest).encoded) return;
    throw new IntegrityError("digest-mismatch", `Cannot accept ${digest}: digest ${algorithm}:${hex}`);
  }

  /** Names the state of index.json: it is replaced as a whole, so another state is another file. */
  #stamp(): string {
    const found = statSync(join(this.#path, indexFile), { bigint: true, throwIfNoEntry: false });
    return found ? `${this.#writes} ${found.ino} ${found.mtimeNs} ${found.size}` : `${this.#writes}`;
  }
}

/** A layout tells manifests that it does not list from other blobs by their look; an image's config looks alike. */
function isManifest({ bytes, descriptor }: RawManifest): boolean {
  if (!isManifestType(descriptor.mediaType)) return true;
  try {
    parseManifest(bytes, descriptor.mediaType, descriptor.digest);
    return true;
  } catch (error) {
    if (isLibraryError(error)) return false;
    throw error;
  }
}
