import { makeManifest } from "../../src/oci/make.ts";
import type { Manifest } from "../../src/oci/manifest.ts";
import { mediaTypes } from "../../src/oci/media-type.ts";
import type { Target } from "../../src/store/backend.ts";
import { copy } from "../../src/store/copy.ts";
import { MemoryBackend } from "../../src/store/memory.ts";
import { Store } from "../../src/store/store.ts";
import { walk } from "../../src/store/walk.ts";
import { addBlob, addImage, addIndex } from "../support/graph.ts";
import { testIo } from "../support/io.ts";

/** A graph with everything that a place must keep: several platforms, two tags, referrers of an index and of a member. */
export interface Sample {
  readonly backend: MemoryBackend;
  /** Tagged `multi`. */
  readonly index: Manifest;
  /** Members of `index`. */
  readonly members: readonly Manifest[];
  /** Tagged `single`; has an empty layer. */
  readonly image: Manifest;
  /** Refers to `index`. */
  readonly signature: Manifest;
  /** Refers to the first member. */
  readonly sbom: Manifest;
}

export const signatureType = "application/vnd.example.signature.v1";
export const sbomType = "application/vnd.example.sbom.v1";

/** The sample in memory; equal whenever it is made. */
export function makeSample(): Sample {
  const backend = new MemoryBackend("sample");
  const members = ["amd64", "arm64"].map((architecture, at) =>
    addImage(backend, { seed: at + 1, architecture, layers: 2 }),
  );
  const [first, second] = members;
  if (!first || !second) throw new Error("the sample has two members");
  const index = addIndex(backend, [
    [first, "amd64"],
    [second, "arm64"],
  ]);
  const config = addBlob(backend, new TextEncoder().encode("{}"), mediaTypes.ociEmpty);
  const image = makeManifest({
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    artifactType: "application/vnd.example.empty",
    config,
    layers: [addBlob(backend, new Uint8Array(0), mediaTypes.ociLayer)],
  });
  backend.add({ kind: "manifest", descriptor: image.descriptor }, image.bytes);
  const signature = addImage(backend, {
    seed: 7,
    layers: 1,
    subject: index.descriptor,
    artifactType: signatureType,
    annotations: { "org.example.key": "1" },
  });
  const sbom = addImage(backend, { seed: 8, layers: 1, subject: first.descriptor, artifactType: sbomType });
  return { backend, index, members, image, signature, sbom };
}

/** Copies the roots and all that refers to them into the target, under the given tags. */
export async function fill(
  target: Target,
  backend: MemoryBackend,
  roots: readonly { readonly manifest: Manifest; readonly tag?: string }[],
) {
  const io = testIo();
  const manifests = roots.map(({ manifest }) => manifest);
  return copy(walk(new Store(backend), manifests, { referrers: "all" }, io), target, { entries: roots }, io);
}

/** The tags of the sample. */
export function sampleRoots(sample: Sample): readonly { readonly manifest: Manifest; readonly tag: string }[] {
  return [
    { manifest: sample.index, tag: "multi" },
    { manifest: sample.image, tag: "single" },
  ];
}
