import type { Descriptor, Node } from "../../src/oci/descriptor.ts";
import { describe, makeManifest } from "../../src/oci/make.ts";
import type { Manifest } from "../../src/oci/manifest.ts";
import { mediaTypes } from "../../src/oci/media-type.ts";
import type { MemoryBackend } from "../../src/store/memory.ts";

/** Bytes that depend on the seed alone: a linear congruential generator, so that equal seeds give equal blobs. */
export function seededBytes(size: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(size);
  let state = (seed * 2654435761) >>> 0;
  for (let at = 0; at < size; at++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[at] = state >>> 24;
  }
  return bytes;
}

/** Puts a blob into the backend. */
export function addBlob(backend: MemoryBackend, bytes: Uint8Array, mediaType = "application/octet-stream"): Descriptor {
  const descriptor = describe(bytes, mediaType);
  backend.add({ kind: "blob", descriptor }, bytes);
  return descriptor;
}

/** Puts a manifest into the backend. */
export function addManifest(backend: MemoryBackend, value: Parameters<typeof makeManifest>[0]): Manifest {
  const manifest = makeManifest(value);
  const node: Node = { kind: "manifest", descriptor: manifest.descriptor };
  backend.add(node, manifest.bytes);
  return manifest;
}

export interface ImageOptions {
  readonly seed?: number;
  readonly layers?: number;
  readonly layerSize?: number;
  readonly architecture?: string;
  readonly subject?: Descriptor;
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Puts an image of seeded layers into the backend; its layers are no tars unless nobody unpacks them. */
export function addImage(backend: MemoryBackend, options: ImageOptions = {}): Manifest {
  const seed = options.seed ?? 1;
  const layers = Array.from({ length: options.layers ?? 2 }, (_, at) =>
    addBlob(backend, seededBytes(options.layerSize ?? 1000, seed * 1000 + at), mediaTypes.ociLayer),
  );
  const configBytes = new TextEncoder().encode(
    JSON.stringify({
      architecture: options.architecture ?? "amd64",
      os: "linux",
      config: {},
      rootfs: { type: "layers", diff_ids: layers.map(({ digest }) => digest) },
    }),
  );
  return addManifest(backend, {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    ...(options.artifactType ? { artifactType: options.artifactType } : {}),
    config: addBlob(backend, configBytes, mediaTypes.ociConfig),
    layers,
    ...(options.subject ? { subject: options.subject } : {}),
    ...(options.annotations ? { annotations: options.annotations } : {}),
  });
}

/** Puts an index of these manifests into the backend, each with the platform linux and its given architecture. */
export function addIndex(backend: MemoryBackend, members: readonly (readonly [Manifest, string])[]): Manifest {
  return addManifest(backend, {
    schemaVersion: 2,
    mediaType: mediaTypes.ociIndex,
    manifests: members.map(([{ descriptor }, architecture]) => ({
      ...descriptor,
      platform: { os: "linux", architecture },
    })),
  });
}
