import type { Content, Io } from "../core/content.ts";
import { LibraryError } from "../core/error.ts";
import { maxDocumentBytes } from "../core/json.ts";
import type { Descriptor, Node } from "../oci/descriptor.ts";
import { type Digest, hashAlgorithm, splitDigest } from "../oci/digest.ts";
import { effectiveArtifactType } from "../oci/edges.ts";
import { type Manifest, parseManifest } from "../oci/manifest.ts";
import type { Location } from "../oci/reference.ts";
import type { CommitEntry, Outcome, Step, Writing } from "../store/backend.ts";
import { limiter } from "../store/limit.ts";
import { check, collect } from "../store/store.ts";
import type { RegistryClient } from "./client.ts";
import { fetchManifest, putManifest, statManifest } from "./manifests.ts";
import { referrersSupport } from "./referrers.ts";
import { updateReferrersTag } from "./referrers-tag.ts";
import { repositoryScope } from "./scope.ts";
import { statBlob } from "./stat-blob.ts";
import { uploadBlob } from "./upload.ts";

/** Tags in one request; more would make its address too long for some servers. */
const tagsPerRequest = 20;

/**
 * Writing into a repository. Blobs and manifests are there by digest as soon as they are written; the commit lists
 * referrers and then sets the tags, each at once, so that a tag never points at less than the whole.
 */
export class RegistryWriting implements Writing {
  readonly #client: RegistryClient;
  readonly #io: Io;
  readonly #scopes: readonly string[];
  readonly #absent = new Set<Digest>();
  /** Referrers that the registry did not say to have listed, by subject. */
  readonly #unlisted = new Map<Digest, { readonly sent: Manifest[]; readonly present: Manifest[] }>();

  constructor(client: RegistryClient, io: Io) {
    this.#client = client;
    this.#io = io;
    this.#scopes = [repositoryScope(client.repository ?? "", "pull,push")];
  }

  async has(node: Node): Promise<boolean> {
    const there = await this.#isThere(node);
    if (!there) this.#absent.add(node.descriptor.digest);
    return there;
  }

  async write(
    node: Node,
    open: () => Promise<Content>,
    hints: { readonly mountFrom?: Location | undefined } = {},
  ): Promise<Outcome> {
    hashAlgorithm(node.descriptor.digest);
    if (!this.#absent.has(node.descriptor.digest) && (await this.#isThere(node))) return "present";
    this.#absent.delete(node.descriptor.digest);
    if (node.kind === "manifest") return this.#writeManifest(node.descriptor, open);
    const mountFrom = this.#mountSource(hints.mountFrom);
    return uploadBlob(this.#client, node.descriptor, open, { mountFrom }, this.#io);
  }

  async commit(entries: readonly CommitEntry[]): Promise<void> {
    const limit = limiter(this.#client.session.network.concurrency);
    await Promise.all(entries.map((entry) => limit(() => this.#checkExpected(entry))));
    await Promise.all([...this.#unlisted].map(([subject, found]) => limit(() => this.#listReferrers(subject, found))));
    const byDigest = new Map<Digest, { readonly manifest: Manifest; readonly tags: string[] }>();
    for (const { manifest, tag } of entries) {
      const group = byDigest.get(manifest.descriptor.digest) ?? { manifest, tags: [] };
      byDigest.set(manifest.descriptor.digest, group);
      if (tag !== undefined && !group.tags.includes(tag)) group.tags.push(tag);
    }
    for (const { manifest, tags } of byDigest.values()) {
      // Under a tag alone, a registry computes sha256: any other digest must be said with it
      const isNamed = splitDigest(manifest.descriptor.digest).algorithm !== "sha256";
      const left = tags.length > 1 || isNamed ? await this.#tagTogether(manifest, tags) : tags;
      const single = (tag: string) => putManifest(this.#client, manifest, tag, [], this.#scopes, this.#io);
      await Promise.all(left.map((tag) => limit(() => single(tag))));
    }
  }

  /** Nothing is visible before the commit; what was uploaded is the registry's to collect, or a later run's to find. */
  async abort(): Promise<void> {}

  async #isThere(node: Node): Promise<boolean> {
    const { digest } = node.descriptor;
    if (node.kind === "blob") {
      const found = await statBlob(this.#client, digest, this.#scopes, this.#io);
      return found !== undefined && found.size === node.descriptor.size;
    }
    // A manifest that is there may still have to be listed under its subject: copy hands it along, else it is read
    const known = stepManifest(node);
    if (known) {
      if ((await statManifest(this.#client, digest, this.#scopes, this.#io)) === undefined) return false;
      this.#notePresent(known);
      return true;
    }
    const raw = await fetchManifest(this.#client, digest, this.#scopes, this.#io);
    if (raw === undefined) return false;
    const name = this.#client.label(digest);
    check(raw.bytes, node.descriptor, name);
    const { mediaType } = node.descriptor;
    this.#notePresent({ ...raw, descriptor: node.descriptor, value: parseManifest(raw.bytes, mediaType, name) });
    return true;
  }

  async #writeManifest(descriptor: Descriptor, open: () => Promise<Content>): Promise<Outcome> {
    const name = this.#client.label(descriptor.digest);
    const bytes = await collect(await (await open()).stream(), maxDocumentBytes, name);
    check(bytes, descriptor, name);
    const value = parseManifest(bytes, descriptor.mediaType, name);
    const raw = { descriptor, bytes };
    const put = () => putManifest(this.#client, raw, descriptor.digest, [], this.#scopes, this.#io);
    if (value.subject === undefined) {
      await put();
      return "sent";
    }
    // olareg (0.1.2) loses referrers of one subject that arrive at the same time
    const key = `subject ${this.#client.label(value.subject.digest)}`;
    const answer = await this.#client.session.exclusive(key, put);
    if (answer.subject === value.subject.digest) this.#client.host.referrers.set(this.#client.repository ?? "", "api");
    else this.#found(value.subject.digest).sent.push({ ...raw, value });
    return "sent";
  }

  #notePresent(manifest: Manifest): void {
    const { subject } = manifest.value;
    if (subject) this.#found(subject.digest).present.push(manifest);
  }

  #found(subject: Digest): { readonly sent: Manifest[]; readonly present: Manifest[] } {
    const found = this.#unlisted.get(subject) ?? { sent: [], present: [] };
    this.#unlisted.set(subject, found);
    return found;
  }

  /** A registry with the API lists what is present; one that did not answer with OCI-Subject leaves it to us. */
  async #listReferrers(
    subject: Digest,
    { sent, present }: { readonly sent: readonly Manifest[]; readonly present: readonly Manifest[] },
  ): Promise<void> {
    const byApi =
      present.length > 0 && (await referrersSupport(this.#client, subject, this.#scopes, this.#io)) === "api";
    const add = [...sent, ...(byApi ? [] : present)].map(referrerEntry);
    if (add.length === 0) return;
    await updateReferrersTag(this.#client, subject, { add, remove: [] }, this.#scopes, this.#io);
  }

  async #checkExpected({ tag, expect }: CommitEntry): Promise<void> {
    if (tag === undefined || expect === undefined) return;
    const found = (await statManifest(this.#client, tag, this.#scopes, this.#io))?.digest;
    if (found === (expect === "absent" ? undefined : expect)) return;
    throw new LibraryError(
      "tag-moved",
      `Cannot tag ${this.#client.label(tag)}: it is ${found ?? "absent"}, expected ${expect}`,
      { hint: "Look at what it is now, then move it with --force" },
    );
  }

  /** The tags that are still to be set. distribution-spec (main), "Pushing Manifests with Tags". */
  async #tagTogether(manifest: Manifest, tags: readonly string[]): Promise<readonly string[]> {
    const { host } = this.#client;
    const left: string[] = [];
    for (let at = 0; at < tags.length; at += tagsPerRequest) {
      const batch = tags.slice(at, at + tagsPerRequest);
      if (host.multipleTags === false) {
        left.push(...batch);
        continue;
      }
      const { digest } = manifest.descriptor;
      const answer = await putManifest(this.#client, manifest, digest, batch, this.#scopes, this.#io);
      host.multipleTags = answer.tags.length > 0;
      left.push(...batch.filter((tag) => !answer.tags.includes(tag)));
    }
    return left;
  }

  #mountSource(from: Location | undefined): string | undefined {
    if (from?.kind !== "registry" || from.registry !== this.#client.registry) return undefined;
    return from.repository === this.#client.repository ? undefined : from.repository;
  }
}

/** What a fallback tag's index says of a referrer: distribution-spec v1.1.1, "Pushing Manifests with Subject". */
function referrerEntry(manifest: Manifest): Descriptor {
  const { mediaType, digest, size } = manifest.descriptor;
  const artifactType = effectiveArtifactType(manifest);
  const { annotations } = manifest.value;
  return {
    mediaType,
    digest,
    size,
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(annotations === undefined ? {} : { annotations }),
  };
}

function stepManifest(node: Node & Partial<Pick<Step, "manifest">>): Manifest | undefined {
  return node.manifest;
}
