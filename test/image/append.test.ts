import { describe, expect, test } from "bun:test";
import { type AppendParts, append, type BaseImage } from "../../src/image/append.ts";
import { appendSteps } from "../../src/image/append-steps.ts";
import type { Layer } from "../../src/image/layer.ts";
import { parseConfig } from "../../src/oci/config.ts";
import { describe as describeBytes, digestOf, makeManifest } from "../../src/oci/make.ts";
import { type ImageManifest, isIndex, type Manifest } from "../../src/oci/manifest.ts";
import { mediaTypes } from "../../src/oci/media-type.ts";
import { copy } from "../../src/store/copy.ts";
import { MemoryBackend } from "../../src/store/memory.ts";
import { bytesContent, Store } from "../../src/store/store.ts";
import { addBlob, addImage, addManifest, seededBytes } from "../support/graph.ts";
import { testIo } from "../support/io.ts";

const io = testIo();
const [amd64, arm64] = [
  { os: "linux", architecture: "amd64" },
  { os: "linux", architecture: "arm64" },
] as const;
const scratch: AppendParts = {
  base: { platforms: [amd64] },
  layers: [],
  edits: {},
  annotations: {},
  created: "1970-01-01T00:00:00Z",
};

function layer(seed: number): Layer {
  const bytes = seededBytes(500, seed);
  return {
    descriptor: describeBytes(bytes, mediaTypes.ociLayerGzip),
    diffId: digestOf(`tar ${seed}`),
    content: bytesContent(bytes),
    createdBy: `layer ${seed}`,
  };
}

async function baseImage(backend: MemoryBackend, manifest: Manifest): Promise<BaseImage> {
  const { config } = image(manifest);
  const value = parseConfig(await new Store(backend).bytes("blob", config, 10_000, io), "config");
  return { manifest, config: value, platform: { os: value.os, architecture: value.architecture } };
}

function image({ value }: Manifest): ImageManifest {
  if (isIndex(value)) throw new Error("an index, expected an image");
  return value;
}

describe("append()", () => {
  test("makes one manifest for one platform, of OCI's types", () => {
    const { root, images } = append({ ...scratch, layers: [layer(1), layer(2)], annotations: { b: "2", a: "1" } });
    expect(root).toBe(images[0]?.manifest as Manifest);
    expect(image(root)).toMatchObject({
      mediaType: mediaTypes.ociManifest,
      config: { mediaType: mediaTypes.ociConfig },
      layers: [layer(1).descriptor, layer(2).descriptor],
    });
    expect(Object.keys(root.value.annotations ?? {})).toEqual(["a", "b"]);
  });

  test("makes an index of several, in their order, with the annotations on every level", () => {
    const { root, images } = append({ ...scratch, base: { platforms: [arm64, amd64] }, annotations: { a: "1" } });
    if (!isIndex(root.value)) throw new Error("expected an index");
    expect(root.value.manifests).toEqual(
      images.map(({ manifest, platform }) => ({ ...manifest.descriptor, platform })),
    );
    expect(root.value.manifests.map(({ platform }) => platform)).toEqual([arm64, amd64]);
    expect([root, ...images.map(({ manifest }) => manifest)].map(({ value }) => value.annotations)).toEqual([
      { a: "1" },
      { a: "1" },
      { a: "1" },
    ]);
  });

  test("gives equal digests for equal parts", () => {
    const parts = { ...scratch, layers: [layer(1)], edits: { labels: { b: "1", a: "2" } } };
    const other = { ...scratch, layers: [layer(1)], edits: { labels: { a: "2", b: "1" } } };
    expect(append(parts).root.descriptor).toEqual(append(other).root.descriptor);
  });

  test("names the base: its manifest on an image, what was named on the index", async () => {
    const backend = new MemoryBackend();
    const bases = [addImage(backend, { seed: 1 }), addImage(backend, { seed: 2, architecture: "arm64" })] as const;
    const images = [await baseImage(backend, bases[0]), await baseImage(backend, bases[1])] as const;
    const named = digestOf("the index");
    const { root, images: made } = append({
      ...scratch,
      base: { images, root: named, name: "example.org/base:1" },
      layers: [layer(9)],
    });
    const digests = [root, ...made.map(({ manifest }) => manifest)].map(({ value }) => value.annotations);
    expect(digests).toEqual(
      [named, bases[0].descriptor.digest, bases[1].descriptor.digest].map((digest) => ({
        "org.opencontainers.image.base.digest": digest,
        "org.opencontainers.image.base.name": "example.org/base:1",
      })),
    );
    expect(made[1]?.layers).toEqual([...image(bases[1]).layers, layer(9).descriptor]);
  });

  test("gives what was made of a Docker image OCI's types, and keeps its layers' bytes", async () => {
    const backend = new MemoryBackend();
    const blob = (seed: number, type: string) => addBlob(backend, seededBytes(100, seed), type);
    const types = [
      [mediaTypes.dockerLayerGzip, mediaTypes.ociLayerGzip],
      ["application/vnd.docker.image.rootfs.diff.tar", mediaTypes.ociLayer],
      ["application/vnd.docker.image.rootfs.diff.tar.zstd", mediaTypes.ociLayerZstd],
      [mediaTypes.ociLayerZstd, mediaTypes.ociLayerZstd],
      ["application/vnd.example.layer", "application/vnd.example.layer"],
    ] as const;
    const layers = types.map(([type], seed) => blob(seed, type));
    const config = {
      os: "linux",
      architecture: "amd64",
      rootfs: { type: "layers", diff_ids: layers.map(({ digest }) => digest) },
    };
    const manifest = addManifest(backend, {
      schemaVersion: 2,
      mediaType: mediaTypes.dockerManifest,
      config: addBlob(backend, Buffer.from(JSON.stringify(config)), mediaTypes.dockerConfig),
      layers,
    });
    const { root } = append({
      ...scratch,
      base: { images: [await baseImage(backend, manifest)], root: manifest.descriptor.digest },
    });
    expect(root.descriptor.mediaType).toBe(mediaTypes.ociManifest);
    expect(image(root).config.mediaType).toBe(mediaTypes.ociConfig);
    expect(image(root).layers).toEqual(layers.map((layer, at) => ({ ...layer, mediaType: types[at]?.[1] ?? "" })));
  });

  test("does not inherit what speaks of the base: its annotations, its subject", async () => {
    const backend = new MemoryBackend();
    const subject = addImage(backend, { seed: 7 }).descriptor;
    const base = addImage(backend, { annotations: { "org.opencontainers.image.version": "1" }, subject });
    const { root } = append({
      ...scratch,
      base: { images: [await baseImage(backend, base)], root: base.descriptor.digest },
    });
    expect(root.value.subject).toBeUndefined();
    expect(Object.keys(root.value.annotations ?? {})).toEqual(["org.opencontainers.image.base.digest"]);
  });

  test("refuses a base that is an artifact", () => {
    const artifact = makeManifest({
      schemaVersion: 2,
      config: describeBytes(Buffer.from("{}"), "application/vnd.example.config"),
      layers: [],
    });
    const config = parseConfig(
      Buffer.from('{"os":"linux","architecture":"amd64","rootfs":{"type":"layers","diff_ids":[]}}'),
      "config",
    );
    const images = [{ manifest: artifact, config, platform: amd64 }] as const;
    expect(() => append({ ...scratch, base: { images, root: artifact.descriptor.digest } })).toThrow(
      expect.objectContaining({ code: "unsupported-content" }),
    );
  });
});

describe("appendSteps()", () => {
  test("copies a whole image, with layers of the base from where they are", async () => {
    const source = new MemoryBackend("base");
    const base = addImage(source, { seed: 3 });
    const layers = [layer(1), layer(1), layer(2)];
    const images = [await baseImage(source, base), { ...(await baseImage(source, base)), platform: arm64 }] as const;
    const appended = append({ ...scratch, base: { images, root: base.descriptor.digest }, layers });
    const target = new MemoryBackend("target");
    const steps = appendSteps(appended, layers, new Store(source));
    await copy(steps, target, { entries: [{ manifest: appended.root, tag: "1" }] }, io);
    const store = new Store(target);
    const root = await store.resolve("1", io);
    expect(root.descriptor.digest).toBe(appended.root.descriptor.digest);
    for (const { manifest } of appended.images) {
      const { config, layers } = image(await store.manifest(manifest.descriptor, io));
      for (const blob of [config, ...layers]) await store.bytes("blob", blob, 10_000, io);
    }
  });

  test("gives children before parents, and leaves foreign layers out", async () => {
    const source = new MemoryBackend("base");
    const foreign = describeBytes(
      Buffer.from("elsewhere"),
      "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
    );
    const config = { os: "windows", architecture: "amd64", rootfs: { type: "layers", diff_ids: [foreign.digest] } };
    const manifest = addManifest(source, {
      schemaVersion: 2,
      mediaType: mediaTypes.dockerManifest,
      config: addBlob(source, Buffer.from(JSON.stringify(config)), mediaTypes.dockerConfig),
      layers: [{ ...foreign, urls: ["https://example.org/layer"] }],
    });
    const images = [await baseImage(source, manifest)] as const;
    const appended = append({ ...scratch, base: { images, root: manifest.descriptor.digest }, layers: [layer(1)] });
    expect(image(appended.root).layers[0]).toMatchObject({
      mediaType: "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
      urls: ["https://example.org/layer"],
    });
    const seen = new Set<string>();
    const roles: string[] = [];
    for await (const { descriptor, needs, role } of appendSteps(appended, [layer(1)], new Store(source))) {
      expect(needs.every((digest) => seen.has(digest))).toBe(true);
      seen.add(descriptor.digest);
      roles.push(role);
    }
    expect(roles).toEqual(["layer", "config", "root"]);
    expect(seen.has(foreign.digest)).toBe(false);
  });
});

test("append() gives a layer for one platform to the images of that platform alone", () => {
  const own = { ...layer(2), platform: arm64 };
  const { images } = append({ ...scratch, base: { platforms: [amd64, arm64] }, layers: [layer(1), own] });
  expect(images.map(({ layers }) => layers.map(({ digest }) => digest))).toEqual([
    [layer(1).descriptor.digest],
    [layer(1).descriptor.digest, own.descriptor.digest],
  ]);
  expect(images.map(({ diffIds }) => diffIds.length)).toEqual([1, 2]);
});
