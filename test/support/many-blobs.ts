import type { Descriptor } from "../../src/oci/descriptor.ts";
import type { Digest } from "../../src/oci/digest.ts";
import { describe, digestOf, makeManifest } from "../../src/oci/make.ts";
import { mediaTypes } from "../../src/oci/media-type.ts";
import { seededBytes } from "./graph.ts";
import type { Sample } from "./samples.ts";

const architectures = ["amd64", "arm64", "riscv64", "s390x"];
const largeSizes = [5_000_000, 3_000_000, 1_500_000, 1_100_000];
const smallLayers = 11;

/** An index of four images, together about 11 MB: each with one large layer, and 11 small ones of up to 20 kB. */
export function manyBlobs(seed: number): Sample {
  const blobs = new Map<Digest, Uint8Array>();
  const add = (bytes: Uint8Array, mediaType: string): Descriptor => {
    const descriptor = describe(bytes, mediaType);
    blobs.set(descriptor.digest, bytes);
    return descriptor;
  };
  const members = architectures.map((architecture, member) => {
    const contents = [largeSizes[member] ?? 0, ...Array.from({ length: smallLayers }, (_, at) => 300 + at * 1900)].map(
      (size, at) => seededBytes(size, seed * 1000 + member * 100 + at),
    );
    const config = {
      architecture,
      os: "linux",
      rootfs: { type: "layers", diff_ids: contents.map((c) => digestOf(c)) },
    };
    const { bytes, descriptor } = makeManifest({
      schemaVersion: 2,
      config: add(new TextEncoder().encode(JSON.stringify(config)), mediaTypes.ociConfig),
      layers: contents.map((content) => add(content, mediaTypes.ociLayer)),
    });
    blobs.set(descriptor.digest, bytes);
    return { ...descriptor, platform: { os: "linux", architecture } };
  });
  const { bytes, descriptor } = makeManifest({ schemaVersion: 2, manifests: members });
  blobs.set(descriptor.digest, bytes);
  return { root: descriptor, blobs, referrers: [] };
}
