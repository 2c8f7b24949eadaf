import { UnsupportedError } from "../core/error.ts";
import { type Annotations, annotationKeys, orderedAnnotations } from "../oci/annotations.ts";
import type { ImageConfig } from "../oci/config.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import type { Digest } from "../oci/digest.ts";
import { describe, makeManifest } from "../oci/make.ts";
import { type ImageManifest, isIndex, type Manifest } from "../oci/manifest.ts";
import { isImageConfigType, mediaTypes } from "../oci/media-type.ts";
import { matchesPlatform, type Platform } from "../oci/platform.ts";
import { type ConfigEdits, makeConfig } from "./config.ts";
import type { Layer } from "./layer.ts";

/** One image to build on. */
export interface BaseImage {
  readonly manifest: Manifest;
  readonly config: ImageConfig;
  /** As the base's index or its config says. */
  readonly platform: Platform;
}

/** What to build on: the images chosen, what they were found under, and its full name where it is in a registry. */
export interface Base {
  readonly images: readonly [BaseImage, ...BaseImage[]];
  readonly root: Digest;
  readonly name?: string | undefined;
}

/** All that an appended image is made of. */
export interface AppendParts {
  /** Platforms, where there is no base. */
  readonly base: Base | { readonly platforms: readonly [Platform, ...Platform[]] };
  /** In order; each goes into the images of its platform, or into all. */
  readonly layers: readonly Layer[];
  readonly edits: ConfigEdits;
  /** Of every manifest and of the index; those of the base are not inherited, they speak of the base. */
  readonly annotations: Annotations;
  /** RFC 3339. */
  readonly created: string;
}

/** One image as it was put together. */
export interface AppendedImage {
  readonly platform: Platform;
  readonly manifest: Manifest;
  readonly config: { readonly descriptor: Descriptor; readonly bytes: Uint8Array };
  /** Layers of the base first. */
  readonly layers: readonly Descriptor[];
  readonly diffIds: readonly Digest[];
}

/** What was put together. */
export interface Appended {
  /** An index where there are several images, else the image's manifest. */
  readonly root: Manifest;
  readonly images: readonly AppendedImage[];
}

/**
 * Images with further layers and other settings, put together of parts that are all known: pure, so that equal parts
 * give equal digests. All that is made is of OCI's types: layers and config of a Docker base keep their bytes, only the
 * types in the new manifest change. Throws `unsupported-content` where a base is no image.
 */
export function append(parts: AppendParts): Appended {
  const bases = "images" in parts.base ? parts.base.images : parts.base.platforms.map((platform) => ({ platform }));
  const images = bases.map((base) => appendImage(base, parts));
  const [first] = images;
  if (images.length === 1 && first) return { root: first.manifest, images };
  const index = makeManifest({
    schemaVersion: 2,
    mediaType: mediaTypes.ociIndex,
    manifests: images.map(({ manifest, platform }) => ({ ...manifest.descriptor, platform })),
    annotations: orderedAnnotations({ ...baseAnnotations(parts, undefined), ...parts.annotations }),
  });
  return { root: index, images };
}

function appendImage(base: BaseImage | { readonly platform: Platform }, parts: AppendParts): AppendedImage {
  const manifest = "manifest" in base ? imageManifest(base.manifest) : undefined;
  const below = manifest?.layers.map(asOci) ?? [];
  const own = parts.layers.filter((layer) => !layer.platform || matchesPlatform(base.platform, layer.platform));
  const bytes = makeConfig({
    base: "manifest" in base ? { config: base.config, layers: below.length } : base,
    layers: own,
    edits: parts.edits,
    created: parts.created,
  });
  const config = { descriptor: describe(bytes, mediaTypes.ociConfig), bytes };
  const layers = [...below, ...own.map(({ descriptor }) => descriptor)];
  const baseDigest = "manifest" in base ? base.manifest.descriptor.digest : undefined;
  const made = makeManifest({
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: config.descriptor,
    layers,
    annotations: orderedAnnotations({ ...baseAnnotations(parts, baseDigest), ...parts.annotations }),
  });
  return {
    platform: base.platform,
    manifest: made,
    config,
    layers,
    diffIds: own.map(({ diffId }) => diffId),
  };
}

/** image-spec v1.1.1, "Pre-Defined Annotation Keys": of a manifest the base's manifest, of an index what was named. */
function baseAnnotations({ base }: AppendParts, manifest: Digest | undefined): Annotations {
  if (!("images" in base)) return {};
  return {
    ...(base.name === undefined ? {} : { [annotationKeys.baseName]: base.name }),
    [annotationKeys.baseDigest]: manifest ?? base.root,
  };
}

function imageManifest({ value, descriptor }: Manifest): ImageManifest {
  if (!isIndex(value) && isImageConfigType(value.config.mediaType)) return value;
  throw new UnsupportedError(`Cannot append to ${descriptor.digest}: it is no image`, {
    code: "unsupported-content",
    hint: "Name an image, not an artifact, with --base",
  });
}

/** Docker's types of layers and OCI's for the same bytes. */
const ociLayerTypes: Readonly<Record<string, string>> = {
  [mediaTypes.dockerLayerGzip]: mediaTypes.ociLayerGzip,
  "application/vnd.docker.image.rootfs.diff.tar": mediaTypes.ociLayer,
  "application/vnd.docker.image.rootfs.diff.tar.zstd": mediaTypes.ociLayerZstd,
  "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip":
    "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
};

function asOci(layer: Descriptor): Descriptor {
  const mediaType = Object.hasOwn(ociLayerTypes, layer.mediaType) ? ociLayerTypes[layer.mediaType] : undefined;
  return mediaType === undefined ? layer : { ...layer, mediaType };
}
