import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import type { Descriptor } from "../../src/oci/descriptor.ts";
import { type Digest, splitDigest } from "../../src/oci/digest.ts";
import { describe, digestOf, emptyContent, makeManifest } from "../../src/oci/make.ts";
import type { ImageManifest } from "../../src/oci/manifest.ts";
import { mediaTypes } from "../../src/oci/media-type.ts";
import { seededBytes } from "./graph.ts";
import { makeTar } from "./tar.ts";

/** A whole graph, by its root and every blob and manifest of it. */
export interface Sample {
  readonly root: Descriptor;
  readonly blobs: ReadonlyMap<Digest, Uint8Array>;
  /** Manifests that refer to one of the graph; among `blobs` too. */
  readonly referrers: readonly Descriptor[];
}

/** A sample that tells what would be left of it without its referrers. */
export interface NamedSample extends Sample {
  /** The digests below the root, itself among them, without those of referrers. */
  readonly own: ReadonlySet<Digest>;
}

/** What the samples are there for, by their names, which are tags and parts of repositories too. */
export const sampleNames = [
  "image",
  "platforms",
  "docker-image",
  "docker-list",
  "zstd",
  "nested",
  "sha512-blobs",
  "sha512-root",
  "members-500",
  "referred",
] as const;
export type SampleName = (typeof sampleNames)[number];

/** A file that is in the lowest layer of every image. */
export const sampleFile = { path: "srv/greeting", text: "hello from the lowest layer\n" } as const;

/** The sample of this name: equal at every call, its layers real tars. */
export function makeSample(name: SampleName): NamedSample {
  const graph = new Graph();
  const root = roots[name](graph);
  return { root, blobs: graph.blobs, referrers: graph.referrers, own: graph.own };
}

const roots: Readonly<Record<SampleName, (graph: Graph) => Descriptor>> = {
  image: (graph) => graph.image({ seed: 1 }),
  platforms: (graph) =>
    graph.index([
      platform(graph.image({ seed: 2 }), "amd64"),
      platform(graph.image({ seed: 3, architecture: "arm64" }), "arm64"),
    ]),
  "docker-image": (graph) => graph.image({ seed: 4, types: "docker" }),
  "docker-list": (graph) =>
    graph.index(
      [
        platform(graph.image({ seed: 5, types: "docker" }), "amd64"),
        platform(graph.image({ seed: 6, types: "docker", architecture: "arm64" }), "arm64"),
      ],
      mediaTypes.dockerManifestList,
    ),
  zstd: (graph) => graph.image({ seed: 7, compression: "zstd" }),
  nested: (graph) => {
    const inner = graph.index([platform(graph.image({ seed: 8, architecture: "arm64" }), "arm64")]);
    return graph.index([platform(graph.image({ seed: 9 }), "amd64"), inner]);
  },
  "sha512-blobs": (graph) => graph.image({ seed: 10, blobs: "sha512" }),
  "sha512-root": (graph) => graph.image({ seed: 11, blobs: "sha512", manifest: "sha512" }),
  "members-500": (graph) => {
    const members = Array.from({ length: 500 }, (_, at) => {
      // One layer for all, as images made from one file have it
      const architecture = at === 0 ? "amd64" : `made-up-${at}`;
      return platform(graph.image({ seed: 12, layers: 1, architecture }), architecture);
    });
    return graph.index(members);
  },
  referred: (graph) => {
    const child = graph.image({ seed: 13 });
    const root = graph.index([platform(child, "amd64")]);
    const signature = graph.artifact(root, "application/vnd.example.signature", { "org.example.n": "1" });
    graph.artifact(child, "application/vnd.example.sbom", { "org.example.n": "2" });
    graph.artifact(signature, "application/vnd.example.countersignature", {});
    return root;
  },
};

interface ImageChoices {
  readonly seed: number;
  readonly layers?: number;
  readonly architecture?: string;
  readonly types?: "oci" | "docker";
  readonly compression?: "gzip" | "zstd";
  readonly blobs?: "sha256" | "sha512";
  readonly manifest?: "sha256" | "sha512";
}

class Graph {
  readonly blobs = new Map<Digest, Uint8Array>();
  readonly referrers: Descriptor[] = [];
  readonly own = new Set<Digest>();

  image(choices: ImageChoices): Descriptor {
    const { seed, architecture = "amd64", types = "oci", compression = "gzip" } = choices;
    const tars = Array.from({ length: choices.layers ?? 2 }, (_, at) => layerTar(seed, at));
    const layerType = compression === "zstd" ? mediaTypes.ociLayerZstd : mediaTypes.ociLayerGzip;
    const layers = tars.map((tar) =>
      this.#add(
        compression === "zstd" ? zstdCompressSync(tar) : gzipSync(tar),
        types === "docker" ? mediaTypes.dockerLayerGzip : layerType,
        choices.blobs,
      ),
    );
    const config = {
      architecture,
      os: "linux",
      config: { Cmd: ["/bin/sh"], Labels: { "org.example.seed": String(seed) } },
      rootfs: { type: "layers", diff_ids: tars.map((tar) => digestOf(tar)) },
      history: tars.map((_, at) => ({ created: "1970-01-01T00:00:00Z", created_by: `layer ${at}` })),
    };
    const value: ImageManifest = {
      schemaVersion: 2,
      mediaType: types === "docker" ? mediaTypes.dockerManifest : mediaTypes.ociManifest,
      config: this.#add(
        json(config),
        types === "docker" ? mediaTypes.dockerConfig : mediaTypes.ociConfig,
        choices.blobs,
      ),
      layers,
    };
    return this.#addManifest(value, choices.manifest);
  }

  index(members: readonly Descriptor[], mediaType: string = mediaTypes.ociIndex): Descriptor {
    return this.#addManifest({ schemaVersion: 2, mediaType, manifests: members });
  }

  artifact(subject: Descriptor, artifactType: string, annotations: Readonly<Record<string, string>>): Descriptor {
    const { mediaType, digest, size } = subject;
    const value: ImageManifest = {
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      artifactType,
      config: this.#keep(emptyContent, describe(emptyContent, mediaTypes.ociEmpty)),
      layers: [this.#keepSeeded(artifactType)],
      subject: { mediaType, digest, size },
      annotations,
    };
    const made = makeManifest(value);
    const descriptor = { ...this.#keep(made.bytes, made.descriptor), annotations };
    this.referrers.push(descriptor);
    return descriptor;
  }

  #addManifest(value: Parameters<typeof makeManifest>[0], algorithm: "sha256" | "sha512" = "sha256"): Descriptor {
    const { bytes, descriptor } = makeManifest(value, algorithm);
    this.own.add(descriptor.digest);
    return this.#keep(bytes, descriptor);
  }

  #add(bytes: Uint8Array, mediaType: string, algorithm: "sha256" | "sha512" = "sha256"): Descriptor {
    const descriptor = describe(bytes, mediaType, algorithm);
    this.own.add(descriptor.digest);
    return this.#keep(bytes, descriptor);
  }

  #keepSeeded(mediaType: string): Descriptor {
    const bytes = seededBytes(100, this.referrers.length);
    return this.#keep(bytes, describe(bytes, mediaType));
  }

  #keep(bytes: Uint8Array, descriptor: Descriptor): Descriptor {
    this.blobs.set(descriptor.digest, bytes);
    return descriptor;
  }
}

function platform(descriptor: Descriptor, architecture: string): Descriptor {
  return { ...descriptor, platform: { os: "linux", architecture } };
}

function layerTar(seed: number, at: number): Uint8Array {
  const lowest = [{ name: "srv/" }, { name: sampleFile.path, content: sampleFile.text }];
  return makeTar([
    ...(at === 0 ? lowest : []),
    { name: "var/" },
    { name: `var/layer-${at}`, content: seededBytes(3000, seed * 100 + at) },
  ]);
}

function json(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

/** Writes a layout with these samples, tagged by their names: with nothing of the product's, that it may read it. */
export async function writeSampleLayout(folder: string, samples: ReadonlyMap<string, Sample>): Promise<void> {
  const manifests: unknown[] = [];
  for (const [name, { root, blobs, referrers }] of samples) {
    manifests.push({ ...root, annotations: { "org.opencontainers.image.ref.name": name } }, ...referrers);
    for (const [digest, bytes] of blobs) {
      const { algorithm, encoded } = splitDigest(digest);
      const path = join(folder, "blobs", algorithm, encoded);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, bytes);
    }
  }
  await writeFile(join(folder, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
  await writeFile(join(folder, "index.json"), JSON.stringify({ schemaVersion: 2, manifests }));
}
