import { describe, expect, test } from "bun:test";
import type { Manifest } from "../../src/oci/manifest.ts";
import { isReferrersTag } from "../../src/oci/referrers-tag.ts";
import type { Source } from "../../src/store/backend.ts";
import type { MemoryBackend } from "../../src/store/memory.ts";
import { collect, Store } from "../../src/store/store.ts";
import { walk } from "../../src/store/walk.ts";
import { testIo } from "../support/io.ts";
import { makeSample, type Sample, sampleRoots, sbomType, signatureType } from "./sample.ts";

/** A place that holds what it was asked to hold. */
export interface SourcePlace {
  readonly source: Source;
  close(): Promise<void>;
}

export type OpenSource = (
  backend: MemoryBackend,
  roots: readonly { readonly manifest: Manifest; readonly tag?: string }[],
) => Promise<SourcePlace>;

export interface SourceOptions {
  /** The place is never asked without a reference, as a registry. */
  readonly needsReference?: boolean;
}

const io = testIo();
const unknown = `sha256:${"0".repeat(64)}` as const;

/** The reading half of the contract of places: what every Source does, whatever holds its content. */
export function describeSource(name: string, open: OpenSource, options: SourceOptions = {}): void {
  const withSample = async (body: (source: Source, sample: Sample) => Promise<void>): Promise<void> => {
    const sample = makeSample();
    const place = await open(sample.backend, sampleRoots(sample));
    try {
      await body(place.source, sample);
    } finally {
      await place.close();
    }
  };

  // Of a place that is never asked so there is nothing to hold
  const testWithoutReference: typeof test | (() => void) = options.needsReference ? () => {} : test;

  describe(`${name} as a source`, () => {
    test("resolve() gives the exact bytes of a tag", () =>
      withSample(async (source, { index, image }) => {
        for (const [tag, manifest] of [
          ["multi", index],
          ["single", image],
        ] as const) {
          const raw = await source.resolve(tag, io);
          expect(raw?.bytes).toEqual(manifest.bytes);
          expect(raw?.descriptor).toMatchObject({
            digest: manifest.descriptor.digest,
            mediaType: manifest.descriptor.mediaType,
            size: manifest.bytes.byteLength,
          });
        }
      }));

    test("resolve() finds every manifest by its digest, also those without a tag", () =>
      withSample(async (source, { index, members, signature }) => {
        for (const manifest of [index, ...members, signature]) {
          expect((await source.resolve(manifest.descriptor.digest, io))?.bytes).toEqual(manifest.bytes);
        }
      }));

    test("resolve(), stat() and read() give undefined for what is not there", () =>
      withSample(async (source) => {
        expect(await source.resolve("no-such-tag", io)).toBeUndefined();
        expect(await source.resolve(unknown, io)).toBeUndefined();
        for (const kind of ["manifest", "blob"] as const) {
          expect(await source.stat(kind, unknown, io)).toBeUndefined();
          expect(await source.read(kind, unknown, io)).toBeUndefined();
        }
      }));

    test("resolve() of a blob's digest gives undefined", () =>
      withSample(async (source, { image }) => {
        const { digest } = configOf(image);
        expect(await source.resolve(digest, io)).toBeUndefined();
      }));

    test("stat() tells a manifest's size and type and a blob's size", () =>
      withSample(async (source, { index, members }) => {
        for (const { descriptor } of [index, ...members]) {
          expect(await source.stat("manifest", descriptor.digest, io)).toMatchObject({
            digest: descriptor.digest,
            size: descriptor.size,
            mediaType: descriptor.mediaType,
          });
        }
        const config = configOf(members[0]);
        expect(await source.stat("blob", config.digest, io)).toMatchObject({
          digest: config.digest,
          size: config.size,
        });
      }));

    test("read() gives every node's bytes, from any offset and again", () =>
      withSample(async (source, { backend, index }) => {
        for await (const { kind, descriptor } of walk(new Store(backend), [index], { referrers: "all" }, io)) {
          const wanted = await bytesOf(backend, kind, descriptor.digest);
          const content = await source.read(kind, descriptor.digest, io);
          if (content === undefined) throw new Error(`${descriptor.digest} is not there`);
          expect([-1, wanted.byteLength]).toContain(content.size);
          for (const offset of [0, 1, Math.floor(wanted.byteLength / 2), wanted.byteLength - 1, 0]) {
            const read = await collect(await content.stream(offset), wanted.byteLength, "");
            expect(Buffer.compare(read, wanted.subarray(offset))).toBe(0);
          }
        }
      }));

    test("read() gives an empty blob", () =>
      withSample(async (source, { image }) => {
        const layer = "layers" in image.value ? image.value.layers[0] : undefined;
        if (layer === undefined) throw new Error("the image has a layer");
        expect(layer.size).toBe(0);
        const content = await source.read("blob", layer.digest, io);
        expect((await collect((await content?.stream()) ?? new ReadableStream(), 1, "")).byteLength).toBe(0);
      }));

    test("list() names every tag once", () =>
      withSample(async (source, { index, image }) => {
        const listed = await Array.fromAsync(source.list(io));
        const entries = listed.filter(({ tag }) => tag !== undefined && !isReferrersTag(tag));
        expect(entries.map(({ tag }) => tag).sort()).toEqual(["multi", "single"]);
        const wanted = { multi: index.descriptor.digest, single: image.descriptor.digest };
        for (const { tag, descriptor } of entries) {
          if (descriptor) expect(descriptor.digest).toBe(wanted[tag as keyof typeof wanted]);
        }
      }));

    test("referrers() lists those of an index and of its member, with type and annotations", () =>
      withSample(async (source, { index, members, image, signature, sbom }) => {
        const ofIndex = await listReferrers(source, index);
        expect(ofIndex).toMatchObject([
          {
            digest: signature.descriptor.digest,
            size: signature.descriptor.size,
            mediaType: signature.descriptor.mediaType,
            artifactType: signatureType,
            annotations: { "org.example.key": "1" },
          },
        ]);
        const [first, second] = members;
        expect((await listReferrers(source, first)).map(({ digest }) => digest)).toEqual([sbom.descriptor.digest]);
        expect(await listReferrers(source, second)).toEqual([]);
        expect(await listReferrers(source, image)).toEqual([]);
      }));

    test("referrers() keeps those of the type that is asked for", () =>
      withSample(async (source, { index }) => {
        expect(await listReferrers(source, index, signatureType)).toHaveLength(1);
        expect(await listReferrers(source, index, sbomType)).toEqual([]);
      }));

    testWithoutReference("resolve() without a reference takes the only root", async () => {
      const { backend, index } = makeSample();
      for (const root of [{ manifest: index, tag: "multi" }, { manifest: index }]) {
        const place = await open(backend, [root]);
        try {
          expect((await place.source.resolve(undefined, io))?.descriptor.digest).toBe(index.descriptor.digest);
        } finally {
          await place.close();
        }
      }
    });

    testWithoutReference("resolve() without a reference refuses to choose", () =>
      withSample(async (source) => {
        await expect(source.resolve(undefined, io)).rejects.toMatchObject({ code: "ambiguous-reference" });
      }),
    );

    test("a Store reads the whole graph from it, checked", () =>
      withSample(async (source, { backend, index }) => {
        const wanted = await Array.fromAsync(walk(new Store(backend), [index], { referrers: "all" }, io));
        const store = new Store(source);
        const root = await store.resolve("multi", io);
        const found = await Array.fromAsync(walk(store, [root], { referrers: "all" }, io));
        const digests = (steps: typeof found) => steps.map(({ descriptor }) => descriptor.digest).sort();
        expect(digests(found)).toEqual(digests(wanted));
        for (const node of found) {
          const bytes = await collect(await store.stream(node, io), node.descriptor.size, "");
          expect(bytes.byteLength).toBe(node.descriptor.size);
        }
      }));
  });
}

async function listReferrers(source: Source, subject: Manifest | undefined, artifactType?: string) {
  if (subject === undefined) throw new Error("there is no subject");
  const found = await source.referrers(subject.descriptor, artifactType === undefined ? {} : { artifactType }, io);
  return Array.fromAsync(found.entries);
}

function configOf(manifest: Manifest | undefined) {
  if (manifest === undefined || !("config" in manifest.value)) throw new Error("not an image");
  return manifest.value.config;
}

async function bytesOf(backend: MemoryBackend, kind: "manifest" | "blob", digest: `${string}:${string}`) {
  const content = await backend.read(kind, digest);
  if (content === undefined) throw new Error(`${digest} is not in the sample`);
  return collect(await content.stream(), content.size, digest);
}
