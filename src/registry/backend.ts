import type { Content, Io } from "../core/content.ts";
import { UsageError } from "../core/error.ts";
import type { Descriptor, Kind } from "../oci/descriptor.ts";
import type { Digest } from "../oci/digest.ts";
import { parseManifest } from "../oci/manifest.ts";
import { formatLocation, type RegistryLocation } from "../oci/reference.ts";
import type { Backend, Entry, RawManifest, Referrers, Removal, Writing } from "../store/backend.ts";
import { bytesContent } from "../store/store.ts";
import { RegistryClient } from "./client.ts";
import { type BlobDownload, openBlob } from "./download.ts";
import { fetchManifest, statManifest } from "./manifests.ts";
import { listReferrers, referrersSupport } from "./referrers.ts";
import { updateReferrersTag } from "./referrers-tag.ts";
import { removeContent } from "./remove.ts";
import { repositoryScope } from "./scope.ts";
import type { RegistrySession } from "./session.ts";
import { statBlob } from "./stat-blob.ts";
import { listTags } from "./tags.ts";
import { RegistryWriting } from "./writing.ts";

/** A repository of a registry as a place to read from and write to: distribution-spec v1.1.1. */
export class RegistryBackend implements Backend {
  readonly name: string;
  readonly location: RegistryLocation;
  readonly order = "any";
  readonly #client: RegistryClient;
  readonly #downloads = new Set<BlobDownload>();
  #access: "pull" | "pull,push" = "pull";

  /** Throws `invalid-reference` for names outside the grammar. Nothing is sent before something is asked. */
  constructor(location: RegistryLocation, session: RegistrySession) {
    this.location = location;
    this.name = formatLocation(location);
    this.#client = new RegistryClient(session, location.registry, location.repository);
  }

  async resolve(reference: string | undefined, io: Io): Promise<RawManifest | undefined> {
    if (reference === undefined) {
      throw new UsageError(`Cannot read ${this.name}: neither tag nor digest was given`, {
        code: "invalid-reference",
        hint: `Write "${this.name}:TAG"`,
      });
    }
    return fetchManifest(this.#client, reference, this.#scopes, io);
  }

  async stat(kind: Kind, digest: Digest, io: Io): Promise<Descriptor | undefined> {
    const look = kind === "manifest" ? statManifest : statBlob;
    return look(this.#client, digest, this.#scopes, io);
  }

  async read(kind: Kind, digest: Digest, io: Io): Promise<Content | undefined> {
    if (kind === "manifest") {
      const raw = await fetchManifest(this.#client, digest, this.#scopes, io);
      return raw && bytesContent(raw.bytes);
    }
    const download = await openBlob(this.#client, digest, this.#scopes, io);
    if (download) this.#downloads.add(download);
    return download;
  }

  async *list(io: Io): AsyncGenerator<Entry> {
    for (const tag of await listTags(this.#client, this.#scopes, io)) yield { tag };
  }

  async referrers(subject: Descriptor, filter: { readonly artifactType?: string }, io: Io): Promise<Referrers> {
    return listReferrers(this.#client, subject.digest, filter.artifactType, this.#scopes, io);
  }

  async begin(io: Io): Promise<Writing> {
    // One token serves for what is read on the way, too
    this.#access = "pull,push";
    return new RegistryWriting(this.#client, io);
  }

  async remove(removal: Removal, io: Io): Promise<void> {
    if ("tag" in removal) return removeContent(this.#client, { kind: "tag", reference: removal.tag }, io);
    const { kind, digest } = removal;
    const subject = kind === "manifest" ? await this.#subjectOf(digest, io) : undefined;
    await removeContent(this.#client, { kind, reference: digest }, io);
    if (subject === undefined) return;
    const scopes = [repositoryScope(this.location.repository, "pull,push,delete")];
    if ((await referrersSupport(this.#client, subject, scopes, io)) === "api") return;
    await updateReferrersTag(this.#client, subject, { add: [], remove: [digest] }, scopes, io);
  }

  async close(): Promise<void> {
    const downloads = [...this.#downloads];
    this.#downloads.clear();
    await Promise.all(downloads.map((download) => download.close()));
  }

  get #scopes(): readonly string[] {
    return [repositoryScope(this.location.repository, this.#access)];
  }

  async #subjectOf(digest: Digest, io: Io): Promise<Digest | undefined> {
    const scopes = [repositoryScope(this.location.repository, "pull,push,delete")];
    const raw = await fetchManifest(this.#client, digest, scopes, io);
    if (raw === undefined) return undefined;
    try {
      return parseManifest(raw.bytes, raw.descriptor.mediaType, this.name).subject?.digest;
    } catch (error) {
      // What cannot be read can be deleted all the same
      io.emit({ kind: "debug", message: String(error) });
      return undefined;
    }
  }
}
