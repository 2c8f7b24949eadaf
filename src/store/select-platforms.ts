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
  const members = await platformMembers(source, root, io);
  const matching = members.filter(({ platform }) => patterns.some((pattern) => matchesPlatform(platform, pattern)));
  const unmatched = patterns.filter((pattern) => !members.some(({ platform }) => matchesPlatform(platform, pattern)));
  if (unmatched.length > 0) throw noSuchPlatform(source.name, unmatched, members);
  const [first, pattern] = [matching[0], patterns[0]];
  if (!isIndex(root.value) || first === undefined) return { root, source };
  if (patterns.length === 1 && pattern && isExactPlatform(pattern)) {
    return { root: await source.manifest(first.descriptor, io), source };
  }
  const chosen = new Set<string>(matching.map(({ descriptor }) => descriptor.digest));
  const attestations = root.value.manifests.filter((member) => {
    const about = member.annotations?.[annotationKeys.dockerReferenceDigest];
    return about !== undefined && chosen.has(about);
  });
  const value: ImageIndex = { ...root.value, manifests: [...matching.map(asMember), ...attestations] };
  const index = makeManifest(value);
  return { root: index, source: new Store(new Overlay(source, index)) };
}

/** The images of an index in document order, those of nested indexes in place, or the image itself; no attestations. */
export async function platformMembers(
  source: Store,
  root: Manifest,
  io: Io,
  depth = 0,
): Promise<readonly PlatformMember[]> {
  if (depth > walkLimits.depth) {
    throw new LibraryError(
      "limit-exceeded",
      `Cannot read ${root.descriptor.digest}: nested deeper than ${walkLimits.depth} levels`,
    );
  }
  if (!isIndex(root.value)) {
    const platform = await configPlatform(source, root, io);
    return platform ? [{ descriptor: root.descriptor, platform }] : [];
  }
  const members: PlatformMember[] = [];
  for (const descriptor of root.value.manifests) {
    if (isIndexType(descriptor.mediaType)) {
      members.push(...(await platformMembers(source, await source.manifest(descriptor, io), io, depth + 1)));
    } else if (isManifestType(descriptor.mediaType)) {
      const platform = descriptor.platform ?? (await configPlatform(source, await source.manifest(descriptor, io), io));
      if (platform && !isUnknownPlatform(platform)) members.push({ descriptor, platform });
    }
  }
  return members;
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
