import type { Io } from "../core/content.ts";
import { LibraryError, NotFoundError } from "../core/error.ts";
import { annotationKeys } from "../oci/annotations.ts";
import { parseConfig } from "../oci/config.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import { makeManifest } from "../oci/make.ts";
import { type ImageIndex, isIndex, type Manifest } from "../oci/manifest.ts";
import { isImageConfigType, isIndexType, isManifestType } from "../oci/media-type.ts";
import {
  formatPlatform,
  isExactPlatform,
  isUnknownPlatform,
  matchesPlatform,
  type Platform,
  type PlatformPattern,
} from "../oci/platform.ts";
import type { Source } from "./backend.ts";
import { bytesContent, Store } from "./store.ts";
import { walkLimits } from "./walk.ts";

/** The largest configuration of an image that is read. */
const maxConfigBytes = 4 * 1024 * 1024;

/** A member of an index, flattened, with the platform that it is for. */
export interface PlatformMember {
  readonly descriptor: Descriptor;
  readonly platform: Platform;
}

/**
 * The root that holds only what the patterns ask for, and a store to read it from. One exact pattern gives the first
 * image that matches; several, or one with `*`, a new index with the matching images in their order and the attestation
 * manifests that are about them. An image is itself, where it matches. Throws `not-found` naming what there is.
 */
export async function selectPlatforms(
  source: Store,
  root: Manifest,
  patterns: readonly PlatformPattern[],
  io: Io,
): Promise<{ readonly root: Manifest; readonly source: Store }> {
  if (patterns.length === 0) return { root, source };
  const { members, attestations } = await new Members(source, io).of(root);
  const matching = members.filter(({ platform }) => patterns.some((pattern) => matchesPlatform(platform, pattern)));
  const unmatched = patterns.filter((pattern) => !members.some(({ platform }) => matchesPlatform(platform, pattern)));
  if (unmatched.length > 0) throw noSuchPlatform(source.name, unmatched, members);
  const [first, pattern] = [matching[0], patterns[0]];
  if (!isIndex(root.value) || first === undefined) return { root, source };
  if (patterns.length === 1 && pattern && isExactPlatform(pattern)) {
    return { root: await source.manifest(first.descriptor, io), source };
  }
  const chosen = new Set<string>(matching.map(({ descriptor }) => descriptor.digest));
  const about = attestations.filter(
    ({ digest, annotations }) =>
      !chosen.has(digest) && chosen.has(annotations?.[annotationKeys.dockerReferenceDigest] ?? ""),
  );
  const value: ImageIndex = { ...root.value, manifests: [...matching.map(asMember), ...about] };
  const index = makeManifest(value);
  return { root: index, source: new Store(new Overlay(source, index)) };
}

/**
 * The images of an index in document order, those of nested indexes in place, or the image itself; each once, and no
 * attestations. Throws `limit-exceeded` beyond the depth and the number of manifests of `walkLimits`.
 */
export async function platformMembers(source: Store, root: Manifest, io: Io): Promise<readonly PlatformMember[]> {
  return (await new Members(source, io).of(root)).members;
}

/** What lies below one root, gathered depth first. */
class Members {
  readonly members: PlatformMember[] = [];
  /** Manifests that say which image they are about, at whatever depth. */
  readonly attestations: Descriptor[] = [];
  readonly #source: Store;
  readonly #io: Io;
  readonly #seen = new Set<string>();

  constructor(source: Store, io: Io) {
    this.#source = source;
    this.#io = io;
  }

  async of(root: Manifest): Promise<this> {
    if (isIndex(root.value)) await this.#addIndex(root, root.value, 0);
    else {
      const platform = await configPlatform(this.#source, root, this.#io);
      if (platform) this.members.push({ descriptor: root.descriptor, platform });
    }
    return this;
  }

  async #addIndex({ descriptor: { digest } }: Manifest, { manifests }: ImageIndex, depth: number): Promise<void> {
    if (depth > walkLimits.depth) throw tooMuch(digest, `nested deeper than ${walkLimits.depth} levels`);
    this.#io.signal.throwIfAborted();
    for (const descriptor of manifests) {
      if (!isManifestType(descriptor.mediaType) || !this.#see(descriptor)) continue;
      if (this.#seen.size > walkLimits.manifests) throw tooMuch(digest, `over ${walkLimits.manifests} manifests`);
      if (descriptor.annotations?.[annotationKeys.dockerReferenceDigest] !== undefined) {
        this.attestations.push(descriptor);
      }
      if (!isIndexType(descriptor.mediaType)) await this.#addImage(descriptor);
      else {
        const nested = await this.#source.manifest(descriptor, this.#io);
        if (isIndex(nested.value)) await this.#addIndex(nested, nested.value, depth + 1);
      }
    }
  }

  async #addImage(descriptor: Descriptor): Promise<void> {
    const platform =
      descriptor.platform ??
      (await configPlatform(this.#source, await this.#source.manifest(descriptor, this.#io), this.#io));
    if (platform && !isUnknownPlatform(platform)) this.members.push({ descriptor, platform });
  }

  /** Whether this is the first of its digest; an image may be listed for several platforms. */
  #see({ digest, mediaType, platform }: Descriptor): boolean {
    const key = platform && !isIndexType(mediaType) ? `${digest} ${formatPlatform(platform)}` : digest;
    if (this.#seen.has(key)) return false;
    this.#seen.add(key);
    return true;
  }
}

function tooMuch(digest: string, problem: string): LibraryError {
  return new LibraryError("limit-exceeded", `Cannot read ${digest}: ${problem}`);
}

/** The platform that an image's config names; undefined for what is no image. */
async function configPlatform(source: Store, manifest: Manifest, io: Io): Promise<Platform | undefined> {
  if (isIndex(manifest.value) || !isImageConfigType(manifest.value.config.mediaType)) return undefined;
  const { config } = manifest.value;
  const { os, architecture, variant, ...rest } = parseConfig(
    await source.bytes("blob", config, maxConfigBytes, io),
    `config ${config.digest}`,
  );
  const version = rest["os.version"];
  return {
    os,
    architecture,
    ...(variant === undefined ? {} : { variant }),
    ...(version === undefined ? {} : { "os.version": version }),
  };
}

function asMember({ descriptor, platform }: PlatformMember): Descriptor {
  return { ...descriptor, platform };
}

function noSuchPlatform(
  name: string,
  unmatched: readonly PlatformPattern[],
  members: readonly PlatformMember[],
): NotFoundError {
  const asked = unmatched.map(formatPlatform).join(", ");
  const there = [...new Set(members.map(({ platform }) => formatPlatform(platform)))].join(", ") || "no image";
  return new NotFoundError(`Cannot select ${asked} of ${name}: it has ${there}`, {
    hint: "Choose one of these with --platform, or leave it out to take all",
  });
}

/** A store's source with one manifest more, which lies in memory. */
class Overlay implements Source {
  readonly name: string;
  readonly location: Source["location"];
  readonly #below: Store;
  readonly #index: Manifest;

  constructor(below: Store, index: Manifest) {
    this.name = below.name;
    this.location = below.location;
    this.#below = below;
    this.#index = index;
  }

  async resolve(...[reference, io]: Parameters<Source["resolve"]>): ReturnType<Source["resolve"]> {
    return reference === this.#index.descriptor.digest ? this.#index : this.#below.resolve(reference, io);
  }

  async stat(...[kind, digest, io]: Parameters<Source["stat"]>): ReturnType<Source["stat"]> {
    return digest === this.#index.descriptor.digest ? this.#index.descriptor : this.#below.stat(kind, digest, io);
  }

  async read(...[kind, digest, io]: Parameters<Source["read"]>): ReturnType<Source["read"]> {
    if (digest === this.#index.descriptor.digest) return bytesContent(this.#index.bytes);
    return this.#below.read(kind, digest, io);
  }

  list(io: Io): ReturnType<Source["list"]> {
    return this.#below.list(io);
  }

  async referrers(...[subject, filter, io]: Parameters<Source["referrers"]>): ReturnType<Source["referrers"]> {
    return this.#below.referrers(subject, filter, io);
  }

  async close(): Promise<void> {
    await this.#below.close();
  }
}
