import { gzipSync, zstdCompressSync } from "node:zlib";
import { digestOf } from "../../src/oci/make.ts";
import type { Manifest } from "../../src/oci/manifest.ts";
import { mediaTypes } from "../../src/oci/media-type.ts";
import type { MemoryBackend } from "../../src/store/memory.ts";
import { addBlob, addManifest, seededBytes } from "./graph.ts";
import { makeTar } from "./tar.ts";

export interface RealImageOptions {
  readonly seed?: number;
  readonly architecture?: string;
  readonly compression?: "gzip" | "zstd" | "none";
  /** Docker's media types in the place of OCI's. */
  readonly docker?: boolean;
}

/** An image that other programs can unpack: its layers are tars, and its config tells their digests. */
export function addRealImage(backend: MemoryBackend, options: RealImageOptions = {}): Manifest {
  const { seed = 1, architecture = "amd64", compression = "gzip", docker = false } = options;
  const tars = [1, 2].map((at) =>
    makeTar([
      { name: `layer${at}/` },
      { name: `layer${at}/seed`, content: `${seed}` },
      { name: `layer${at}/bytes`, content: seededBytes(50_000, seed * 10 + at) },
    ]),
  );
  const layerType = {
    gzip: docker ? mediaTypes.dockerLayerGzip : mediaTypes.ociLayerGzip,
    zstd: mediaTypes.ociLayerZstd,
    none: mediaTypes.ociLayer,
  }[compression];
  const compress = { gzip: gzipSync, zstd: zstdCompressSync, none: (bytes: Uint8Array) => bytes }[compression];
  const config = {
    architecture,
    os: "linux",
    config: {},
    rootfs: { type: "layers", diff_ids: tars.map((tar) => digestOf(tar)) },
    history: tars.map(() => ({ created_by: "test" })),
  };
  const configType = docker ? mediaTypes.dockerConfig : mediaTypes.ociConfig;
  return addManifest(backend, {
    schemaVersion: 2,
    mediaType: docker ? mediaTypes.dockerManifest : mediaTypes.ociManifest,
    config: addBlob(backend, new TextEncoder().encode(JSON.stringify(config)), configType),
    layers: tars.map((tar) => addBlob(backend, compress(tar), layerType)),
  });
}
