import { describe, expect, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Content } from "../../src/core/content.ts";
import { hexOf } from "../../src/core/hashing.ts";
import type { Descriptor, Node } from "../../src/oci/descriptor.ts";
import { describe as describeBytes, makeManifest } from "../../src/oci/make.ts";
import { mediaTypes } from "../../src/oci/media-type.ts";
import { isReferrersTag } from "../../src/oci/referrers-tag.ts";
import {
  compareNodes,
  type Entry,
  type Source,
  type Step,
  type Target,
  type Writing,
} from "../../src/store/backend.ts";
import { MemoryBackend } from "../../src/store/memory.ts";
import { bytesContent, collect, Store } from "../../src/store/store.ts";
import { walk } from "../../src/store/walk.ts";
import { seededBytes } from "../support/graph.ts";
import { testIo } from "../support/io.ts";
import { fill, makeSample, sampleRoots } from "./sample.ts";

/** An empty place to write to. */
export interface TargetPlace {
  readonly target: Target;
  /** What was written, read anew; undefined where nothing is there to be opened. */
  read(): Promise<Source | undefined>;
  /** What lies there besides what a commit shows: temporary files, upload sessions. */
  remains(): Promise<readonly string[]>;
  close(): Promise<void>;
}

export interface TargetOptions {
  /** Skips sha512: registries that keep it by another digest. */
  readonly sha512?: boolean;
}

const io = testIo();
const blobType = "application/octet-stream";

/** How wrong bytes come: each way that a target takes them on must notice. */
const deliveries = ["one chunk", "small chunks", "a file", "saveTo"] as const;
type Delivery = (typeof deliveries)[number];

/** The writing half of the contract of places: what every Target does, whatever holds its content. */
export function describeTarget(name: string, open: () => Promise<TargetPlace>, options: TargetOptions = {}): void {
  const withPlace = async (body: (place: TargetPlace) => Promise<void>): Promise<void> => {
    const place = await open();
    try {
      await body(place);
    } finally {
      await place.close();
    }
  };

  describe(`${name} as a target`, () => {
    for (const size of [1000, 3 * 1024 * 1024]) {
      for (const delivery of deliveries) {
        for (const [wrong, code] of [
          ["other bytes", "digest-mismatch"],
          ["a byte too few", "size-mismatch"],
          ["a byte too many", "size-mismatch"],
          ["nothing", "size-mismatch"],
        ] as const) {
          test(`refuses ${wrong} of ${size} as ${delivery} with ${code} and keeps nothing`, () =>
            withPlace(async (place) => {
              const right = seededBytes(size, 1);
              const bytes = spoiled(right, wrong);
              const node: Node = { kind: "blob", descriptor: describeBytes(right, blobType) };
              const writing = await place.target.begin(io, [stepOf(node)]);
              await delivered(bytes, delivery, async (content) => {
                await expect(writing.write(node, async () => content)).rejects.toMatchObject({ code });
              });
              expect(await writing.has(node)).toBe(false);
              await writing.abort({ keepPartial: false });
              expect(await place.remains()).toEqual([]);
              expect(await (await place.read())?.stat("blob", node.descriptor.digest, io)).toBeUndefined();
            }));
        }
      }
    }

    test("refuses wrong bytes that do not say their size", () =>
      withPlace(async (place) => {
        const right = seededBytes(100_000, 1);
        const node: Node = { kind: "blob", descriptor: describeBytes(right, blobType) };
        const writing = await place.target.begin(io, [stepOf(node)]);
        const content = { ...bytesContent(spoiled(right, "a byte too many")), size: -1 };
        await expect(writing.write(node, async () => content)).rejects.toMatchObject({ code: "size-mismatch" });
        await writing.abort({ keepPartial: false });
        expect(await place.remains()).toEqual([]);
      }));

    test("refuses a manifest of wrong bytes", () =>
      withPlace(async (place) => {
        const { image } = makeSample();
        const node: Node = { kind: "manifest", descriptor: image.descriptor };
        const writing = await place.target.begin(io, [stepOf(node)]);
        const wrong = new TextEncoder().encode(new TextDecoder().decode(image.bytes).replace("empty", "stuff"));
        const write = writing.write(node, async () => bytesContent(wrong));
        await expect(write).rejects.toMatchObject({ code: "digest-mismatch" });
        expect(await writing.has(node)).toBe(false);
        await writing.abort({ keepPartial: false });
      }));

    test("refuses a digest that it cannot compute with unsupported-digest", () =>
      withPlace(async (place) => {
        const bytes = seededBytes(10, 1);
        const descriptor = { mediaType: blobType, digest: `md5:${"0".repeat(32)}` as const, size: 10 };
        const node: Node = { kind: "blob", descriptor };
        const writing = await place.target.begin(io, [stepOf(node)]);
        const write = writing.write(node, async () => bytesContent(bytes));
        await expect(write).rejects.toMatchObject({ code: "unsupported-digest" });
        await writing.abort({ keepPartial: false });
      }));

    test("keeps a graph with its tags and referrers, byte for byte", () =>
      withPlace(async (place) => {
        const sample = makeSample();
        await fill(place.target, sample.backend, sampleRoots(sample));
        const store = new Store(await opened(place));
        for (const { manifest, tag } of sampleRoots(sample)) {
          const root = await store.resolve(tag, io);
          expect(root.bytes).toEqual(manifest.bytes);
          const wanted = await Array.fromAsync(walk(new Store(sample.backend), [manifest], { referrers: "all" }, io));
          const found = await Array.fromAsync(walk(store, [root], { referrers: "all" }, io));
          expect(found.map(({ descriptor }) => descriptor.digest).sort()).toEqual(
            wanted.map(({ descriptor }) => descriptor.digest).sort(),
          );
          for (const node of found) await collect(await store.stream(node, io), node.descriptor.size, "");
        }
        expect(await place.remains()).toEqual([]);
      }));

    test.skipIf(options.sha512 === false)("keeps content of sha512 digests", () =>
      withPlace(async (place) => {
        const backend = new MemoryBackend("sha512");
        const bytes = seededBytes(5000, 3);
        const layer = sha512(bytes, mediaTypes.ociLayer);
        const configBytes = new TextEncoder().encode("{}");
        const config = sha512(configBytes, mediaTypes.ociEmpty);
        backend.add({ kind: "blob", descriptor: layer }, bytes);
        backend.add({ kind: "blob", descriptor: config }, configBytes);
        const made = makeManifest({ schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: [layer] });
        const manifest = { ...made, descriptor: sha512(made.bytes, mediaTypes.ociManifest) };
        backend.add({ kind: "manifest", descriptor: manifest.descriptor }, manifest.bytes);
        await fill(place.target, backend, [{ manifest, tag: "long" }]);
        const store = new Store(await opened(place));
        expect((await store.resolve("long", io)).descriptor.digest).toBe(manifest.descriptor.digest);
        expect(await store.bytes("blob", layer, 5000, io)).toEqual(bytes);
      }),
    );

    test("shows no tag before the commit, and nothing after an abort", () =>
      withPlace(async (place) => {
        const { backend, image } = makeSample();
        const steps = await Array.fromAsync(walk(new Store(backend), [image], { referrers: "none" }, io));
        if (place.target.order === "sorted") steps.sort(compareNodes);
        const writing = await place.target.begin(io, steps);
        for (const step of steps) await writing.write(step, () => step.source.open(step, io));
        expect(await (await place.read())?.resolve("single", io)).toBeUndefined();
        await writing.abort({ keepPartial: false });
        expect(await (await place.read())?.resolve("single", io)).toBeUndefined();
        expect(await place.remains()).toEqual([]);
      }));

    test("keeps a blob of 64 MiB that comes in small chunks", () =>
      withPlace(async (place) => {
        const chunk = seededBytes(60_000, 5);
        const whole = new Uint8Array(64 * 1024 * 1024);
        for (let at = 0; at < whole.byteLength; at += chunk.byteLength) {
          whole.set(chunk.subarray(0, whole.byteLength - at), at);
        }
        const node: Node = { kind: "blob", descriptor: describeBytes(whole, blobType) };
        const writing = await place.target.begin(io, [stepOf(node)]);
        expect(await writing.write(node, async () => inChunks(whole, chunk.byteLength))).toBe("sent");
        await writing.commit([]);
        const store = new Store(await opened(place));
        let size = 0;
        for await (const part of await store.stream(node, io)) size += part.byteLength;
        expect(size).toBe(whole.byteLength);
      }));

    test("passes on a failure of the source and keeps nothing", () =>
      withPlace(async (place) => {
        const bytes = seededBytes(2 * 1024 * 1024, 6);
        const node: Node = { kind: "blob", descriptor: describeBytes(bytes, blobType) };
        const writing = await place.target.begin(io, [stepOf(node)]);
        const failure = new Error("the source broke");
        const content: Content = {
          size: bytes.byteLength,
          stream: async () =>
            new ReadableStream({
              start: (controller) => controller.enqueue(bytes.subarray(0, 100_000)),
              pull: (controller) => controller.error(failure),
            }),
        };
        await expect(writing.write(node, async () => content)).rejects.toBe(failure);
        await writing.abort({ keepPartial: false });
        expect(await place.remains()).toEqual([]);
      }));
  });
}

/** The rest of the contract, for places that can be written to more than once. */
export function describeRewriting(name: string, open: () => Promise<TargetPlace>): void {
  const withPlace = async (body: (place: TargetPlace) => Promise<void>): Promise<void> => {
    const place = await open();
    try {
      await body(place);
    } finally {
      await place.close();
    }
  };

  describe(`${name} as a target that is written again`, () => {
    test("a second copy finds everything present", () =>
      withPlace(async (place) => {
        const sample = makeSample();
        const first = await fill(place.target, sample.backend, sampleRoots(sample));
        const second = await fill(place.target, sample.backend, sampleRoots(sample));
        const nodes = Object.values(first.outcomes).reduce((sum, count) => sum + count, 0);
        expect(second.outcomes).toEqual({ present: nodes, mounted: 0, linked: 0, sent: 0 });
        const entries = await Array.fromAsync((await opened(place)).list(io));
        expect(tagsOf(entries)).toEqual(["multi", "single"]);
      }));

    test("has() is true for what was written, and write() says present", () =>
      withPlace(async (place) => {
        const bytes = seededBytes(100, 1);
        const node: Node = { kind: "blob", descriptor: describeBytes(bytes, blobType) };
        const writing = await place.target.begin(io);
        expect(await writing.has(node)).toBe(false);
        expect(await writing.write(node, async () => bytesContent(bytes))).toBe("sent");
        expect(await writing.has(node)).toBe(true);
        expect(await writing.write(node, async () => bytesContent(bytes))).toBe("present");
        await writing.commit([]);
        const again = await place.target.begin(io);
        expect(await again.has(node)).toBe(true);
        await again.abort({ keepPartial: false });
      }));

    test("a tag moves to what was committed last, and others stay", () =>
      withPlace(async (place) => {
        const sample = makeSample();
        await fill(place.target, sample.backend, sampleRoots(sample));
        await fill(place.target, sample.backend, [{ manifest: sample.index, tag: "single" }]);
        const source = await opened(place);
        expect((await source.resolve("single", io))?.descriptor.digest).toBe(sample.index.descriptor.digest);
        expect((await source.resolve("multi", io))?.descriptor.digest).toBe(sample.index.descriptor.digest);
        expect((await source.resolve(sample.image.descriptor.digest, io))?.bytes).toEqual(sample.image.bytes);
      }));

    test("expect refuses a tag that is there, is not there, or points elsewhere, with tag-moved", () =>
      withPlace(async (place) => {
        const sample = makeSample();
        const { index, image } = sample;
        await fill(place.target, sample.backend, sampleRoots(sample));
        for (const [tag, expected] of [
          ["single", "absent"],
          ["single", index.descriptor.digest],
          ["other", image.descriptor.digest],
        ] as const) {
          await committed(place.target, async (writing) => {
            const commit = writing.commit([{ manifest: index, tag, expect: expected }]);
            await expect(commit).rejects.toMatchObject({ code: "tag-moved" });
          });
        }
        const source = await opened(place);
        expect((await source.resolve("single", io))?.descriptor.digest).toBe(image.descriptor.digest);
        expect(await source.resolve("other", io)).toBeUndefined();
      }));

    test("expect lets pass what is as expected", () =>
      withPlace(async (place) => {
        const sample = makeSample();
        const { index, image } = sample;
        await fill(place.target, sample.backend, sampleRoots(sample));
        const writing = await place.target.begin(io);
        await writing.commit([
          { manifest: index, tag: "single", expect: image.descriptor.digest },
          { manifest: index, tag: "other", expect: "absent" },
        ]);
        const source = await opened(place);
        expect((await source.resolve("single", io))?.descriptor.digest).toBe(index.descriptor.digest);
        expect((await source.resolve("other", io))?.descriptor.digest).toBe(index.descriptor.digest);
      }));

    test("a referrer that comes later is found", () =>
      withPlace(async (place) => {
        const { backend, index, signature } = makeSample();
        await fill(place.target, backend, [{ manifest: index, tag: "multi" }]);
        const [first] = [makeManifest({ ...signature.value, annotations: { later: "yes" } })];
        backend.add({ kind: "manifest", descriptor: first.descriptor }, first.bytes);
        await fill(place.target, backend, [{ manifest: first }]);
        const { entries } = await (await opened(place)).referrers(index.descriptor, {}, io);
        const digests = (await Array.fromAsync(entries)).map(({ digest }) => digest).sort();
        expect(digests).toEqual([signature.descriptor.digest, first.descriptor.digest].sort());
      }));

    test("two writings at once both land", () =>
      withPlace(async (place) => {
        const sample = makeSample();
        await Promise.all(
          sampleRoots(sample).flatMap((root) => [
            fill(place.target, sample.backend, [root]),
            fill(place.target, sample.backend, [{ ...root, tag: `${root.tag}-2` }]),
          ]),
        );
        const entries = await Array.fromAsync((await opened(place)).list(io));
        expect(tagsOf(entries)).toEqual(["multi", "multi-2", "single", "single-2"]);
      }));
  });
}

async function committed(target: Target, body: (writing: Writing) => Promise<void>): Promise<void> {
  const writing = await target.begin(io);
  await body(writing);
  await writing.abort({ keepPartial: false });
}

async function opened(place: TargetPlace): Promise<Source> {
  const source = await place.read();
  if (source === undefined) throw new Error("nothing was written");
  return source;
}

/** A step for `begin` of a sorted target, which looks at the node alone. */
function stepOf(node: Node): Step {
  return { ...node, role: node.kind === "blob" ? "layer" : "root", source: new Store(new MemoryBackend()), needs: [] };
}

function sha512(bytes: Uint8Array, mediaType: string): Descriptor {
  return { mediaType, digest: `sha512:${hexOf("sha512", bytes)}`, size: bytes.byteLength };
}

function spoiled(right: Uint8Array, wrong: "other bytes" | "a byte too few" | "a byte too many" | "nothing") {
  if (wrong === "nothing") return new Uint8Array(0);
  if (wrong === "a byte too few") return right.subarray(0, -1);
  if (wrong === "a byte too many") return new Uint8Array([...right.subarray(0, 1), ...right]);
  const other = right.slice();
  other[other.byteLength - 1] = (other[other.byteLength - 1] ?? 0) ^ 1;
  return other;
}

/** Content of the bytes that comes in the given way; its declared size is that of the bytes. */
async function delivered(bytes: Uint8Array, delivery: Delivery, body: (content: Content) => Promise<void>) {
  if (delivery === "one chunk") return body(bytesContent(bytes));
  if (delivery === "small chunks") return body({ ...inChunks(bytes, 999), size: -1 });
  const folder = await mkdtemp(join(tmpdir(), "contract-"));
  try {
    const file = join(folder, "content");
    await writeFile(file, bytes);
    const content = bytesContent(bytes);
    if (delivery === "a file") await body({ ...content, file });
    else {
      const saveTo = async (path: string, offset = 0): Promise<number> => {
        await writeFile(path, bytes.subarray(offset), { flag: "a" });
        return bytes.byteLength - offset;
      };
      await body({ ...content, saveTo });
    }
  } finally {
    await rm(folder, { recursive: true });
  }
}

function inChunks(bytes: Uint8Array, size: number): Content {
  return {
    size: bytes.byteLength,
    stream: async (offset = 0) => {
      let at = offset;
      return new ReadableStream<Uint8Array>({
        pull(controller) {
          if (at < bytes.byteLength) controller.enqueue(bytes.slice(at, at + size));
          at += size;
          if (at >= bytes.byteLength) controller.close();
        },
      });
    },
  };
}

/** The tags, without those that carry lists of referrers. */
function tagsOf(entries: readonly Entry[]): readonly string[] {
  return entries.flatMap(({ tag }) => (tag === undefined || isReferrersTag(tag) ? [] : [tag])).sort();
}
