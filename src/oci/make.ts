import { hexOf } from "../core/hashing.ts";
import { writeJson } from "../core/json.ts";
import type { HashAlgorithm } from "../core/ports.ts";
import type { Descriptor } from "./descriptor.ts";
import type { Digest } from "./digest.ts";
import { type ImageIndex, type ImageManifest, isIndex, type Manifest } from "./manifest.ts";
import { mediaTypes } from "./media-type.ts";

/** The descriptor of `bytes`. */
export function describe(bytes: Uint8Array, mediaType: string, algorithm: HashAlgorithm = "sha256"): Descriptor {
  return { mediaType, digest: digestOf(bytes, algorithm), size: bytes.byteLength };
}

/** The digest of `bytes`. */
export function digestOf(bytes: Uint8Array | string, algorithm: HashAlgorithm = "sha256"): Digest {
  return `${algorithm}:${hexOf(algorithm, bytes)}`;
}

/**
 * A new manifest or index of `value`, serialised once in the order of its keys; its mediaType is written always
 * (image-spec v1.1.1 wants it), OCI's by its shape where `value` has none.
 */
export function makeManifest(value: ImageManifest | ImageIndex, algorithm: HashAlgorithm = "sha256"): Manifest {
  const mediaType = value.mediaType ?? (isIndex(value) ? mediaTypes.ociIndex : mediaTypes.ociManifest);
  const { schemaVersion, mediaType: _, ...rest } = value;
  // Spreading a union of two shapes keeps whichever shape it was
  const whole = { schemaVersion, mediaType, ...rest } as ImageManifest | ImageIndex;
  const bytes = writeJson(whole);
  const descriptor = describe(bytes, mediaType, algorithm);
  return {
    descriptor: value.artifactType ? { ...descriptor, artifactType: value.artifactType } : descriptor,
    bytes,
    value: whole,
  };
}

/** The content of the empty descriptor, `{}`: image-spec v1.1.1, "Guidance for an Empty Descriptor". */
export const emptyContent: Uint8Array = new TextEncoder().encode("{}");

/** The descriptor of `emptyContent`. */
export const emptyDescriptor: Descriptor = describe(emptyContent, mediaTypes.ociEmpty);
