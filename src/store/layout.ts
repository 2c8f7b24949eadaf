import { join } from "node:path";
import type { Content, Io } from "../core/content.ts";
import type { Hash, Lock, Random } from "../core/ports.ts";
import type { Descriptor, Kind } from "../oci/descriptor.ts";
import type { Digest } from "../oci/digest.ts";
import { layoutFile } from "../oci/layout.ts";
import type { FileLocation } from "../oci/reference.ts";
import type { Backend, Entry, RawManifest, Referrers, Removal, Writing } from "./backend.ts";
import { FolderFiles } from "./folder-files.ts";
import { checkLayoutFolder, makeLayoutFolder } from "./layout-create.ts";
import { LayoutReader } from "./layout-reader.ts";
import { removeFromLayout } from "./layout-removal.ts";
import { type LayoutPlace, LayoutWriting } from "./layout-writing.ts";
import { Staging } from "./staging.ts";

/** What a layout needs of the outside world; reading takes none of it. */
export interface LayoutPorts {
  readonly lock: Lock;
  readonly hash: Hash;
  readonly random: Random;
}

/** What messages call the layout. */
export interface LayoutOptions {
  /** What messages call it; `oci:` and the path by default. */
  readonly name?: string;
}

/**
 * An OCI layout in a folder: read as others wrote it, sparse or not, and written so that readers and other writers at
 * the same time always find it whole. image-spec v1.1.1, "OCI Image Layout Specification".
 */
export class LayoutBackend implements Backend {
  readonly order = "any";
  readonly #place: LayoutPlace;
  readonly #ports: LayoutPorts;
  #begun = false;

  constructor(path: string, ports: LayoutPorts, options: LayoutOptions = {}) {
    const files = new FolderFiles(path, options.name);
    this.#place = { root: path, files, reader: new LayoutReader(files), lock: ports.lock };
    this.#ports = ports;
  }

  get name(): string {
    return this.#place.reader.name;
  }

  get location(): FileLocation {
    return this.#place.reader.location;
  }

  async resolve(reference: string | undefined, io: Io): Promise<RawManifest | undefined> {
    return this.#place.reader.resolve(reference, io);
  }

  /** Nothing is there while a writing of this backend has not made a layout of its folder yet. */
  async stat(kind: Kind, digest: Digest, io: Io): Promise<Descriptor | undefined> {
    if (this.#begun && (await this.#place.files.open(layoutFile)) === undefined) return undefined;
    return this.#place.reader.stat(kind, digest, io);
  }

  async read(kind: Kind, digest: Digest, io: Io): Promise<Content | undefined> {
    return this.#place.reader.read(kind, digest, io);
  }

  list(io: Io): AsyncIterable<Entry> {
    return this.#place.reader.list(io);
  }

  async referrers(subject: Descriptor, filter: { readonly artifactType?: string }, io: Io): Promise<Referrers> {
    return this.#place.reader.referrers(subject, filter, io);
  }

  /** Makes the folder where there is none yet; the commit makes a layout of it. */
  async begin(io: Io): Promise<Writing> {
    const staging = this.#staging();
    const made = await makeLayoutFolder(this.#place.root);
    this.#begun = true;
    await staging.removeStale();
    return new LayoutWriting(this.#place, staging, io, made);
  }

  async remove(removal: Removal, io: Io): Promise<void> {
    await checkLayoutFolder(this.#place.root);
    const staging = this.#staging();
    await removeFromLayout(this.#place, staging, removal, io);
    await staging.tidy();
  }

  async close(): Promise<void> {
    await this.#place.reader.close();
  }

  #staging(): Staging {
    return new Staging(join(this.#place.root, ".partial"), this.#ports);
  }
}
