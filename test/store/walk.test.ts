import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import type { Manifest } from "../../src/oci/manifest.ts";
import { mediaTypes } from "../../src/oci/media-type.ts";
import type { Step } from "../../src/store/backend.ts";
import { MemoryBackend } from "../../src/store/memory.ts";
import { Store } from "../../src/store/store.ts";
import { type WalkOptions, walk, walkLimits } from "../../src/store/walk.ts";
import { addBlob, addImage, addIndex, addManifest } from "../support/graph.ts";
import { testIo } from "../support/io.ts";

async function steps(backend: MemoryBackend, root: Manifest, options: Partial<WalkOptions> = {}): Promise<Step[]> {
  return Array.fromAsync(walk(new Store(backend), [root], { referrers: "all", ...options }, testIo()));
}
const digests = (list: readonly Step[]): string[] => list.map(({ descriptor }) => descriptor.digest);

describe("walk()", () => {
  test("yields children before parents and each digest once for any graph", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(5), { minLength: 1, maxLength: 6 }), fc.boolean(), async (seeds, nested) => {
        const backend = new MemoryBackend();
        const images = seeds.map((seed) => addImage(backend, { seed, layers: 3 }));
        const inner = addIndex(
          backend,
          images.map((image) => [image, "amd64"]),
        );
        const root = nested
          ? addIndex(backend, [[inner, "amd64"], ...images.map((image) => [image, "arm64"] as const)])
          : inner;
        const list = await steps(backend, root);
        const order = digests(list);
        expect(new Set(order).size).toBe(order.length);
        for (const [at, step] of list.entries()) {
          for (const need of step.needs) expect(order.indexOf(need)).toBeLessThan(at);
          for (const need of step.needs) expect(order).toContain(need);
        }
        expect(order.at(-1)).toBe(root.descriptor.digest);
      }),
      { numRuns: 50 },
    );
  });

  test("yields referrers of every manifest, and their referrers, after the tree", async () => {
    const backend = new MemoryBackend();
    const image = addImage(backend, { seed: 1 });
    const index = addIndex(backend, [[image, "amd64"]]);
    const signature = addImage(backend, { seed: 2, subject: image.descriptor });
    const onSignature = addImage(backend, { seed: 3, subject: signature.descriptor });
    const order = digests(await steps(backend, index));
    const at = (manifest: Manifest): number => order.indexOf(manifest.descriptor.digest);
    expect(at(signature)).toBeGreaterThan(at(index));
    expect(at(onSignature)).toBeGreaterThan(at(signature));
    expect(digests(await steps(backend, index, { referrers: "none" }))).not.toContain(signature.descriptor.digest);
  });

  test("ends when referrers refer to each other's subjects in a circle of listings", async () => {
    const backend = new MemoryBackend();
    const image = addImage(backend, { seed: 1 });
    const referrer = addImage(backend, { seed: 2, subject: image.descriptor });
    const order = digests(await steps(backend, referrer));
    expect(order.filter((digest) => digest === referrer.descriptor.digest)).toHaveLength(1);
    expect(order).not.toContain(image.descriptor.digest);
  });

  test("leaves out a listed referrer that names another subject, and warns", async () => {
    const backend = new MemoryBackend();
    const image = addImage(backend, { seed: 1 });
    const stranger = addImage(backend, { seed: 2 });
    backend.referrers = async () => ({
      via: "api",
      entries: (async function* () {
        yield stranger.descriptor;
      })(),
    });
    const io = testIo();
    const list = await Array.fromAsync(walk(new Store(backend), [image], { referrers: "all" }, io));
    expect(digests(list)).not.toContain(stranger.descriptor.digest);
    expect(io.events).toContainEqual(expect.objectContaining({ kind: "warning", code: "false-referrer" }));
  });

  test("fails for a member that is absent, or leaves it out when asked to", async () => {
    const backend = new MemoryBackend();
    const image = addImage(backend, { seed: 1 });
    const absent = addImage(new MemoryBackend(), { seed: 2 });
    const index = addIndex(backend, [
      [image, "amd64"],
      [absent, "arm64"],
    ]);
    await expect(steps(backend, index)).rejects.toMatchObject({ code: "blob-missing" });
    expect(digests(await steps(backend, index, { missing: "skip" }))).not.toContain(absent.descriptor.digest);
  });

  test("leaves out layers for a sparse copy and foreign layers always", async () => {
    const backend = new MemoryBackend();
    const image = addImage(backend, { seed: 1 });
    expect((await steps(backend, image, { sparse: true })).map(({ role }) => role)).toEqual(["config", "root"]);
    const foreign = addBlob(backend, new Uint8Array([1]), "application/vnd.oci.image.layer.nondistributable.v1.tar");
    const config = addBlob(backend, new Uint8Array([2]), mediaTypes.ociConfig);
    const root = addManifest(backend, {
      schemaVersion: 2,
      config,
      layers: [{ ...foreign, urls: ["http://192.0.2.1/x"] }],
    });
    expect(digests(await steps(backend, root))).toEqual([config.digest, root.descriptor.digest]);
  });

  test("refuses nesting beyond its depth", async () => {
    const backend = new MemoryBackend();
    let root = addImage(backend, { seed: 1 });
    for (let depth = 0; depth <= walkLimits.depth; depth++) root = addIndex(backend, [[root, "amd64"]]);
    await expect(steps(backend, root)).rejects.toMatchObject({ code: "limit-exceeded" });
  });

  test("yields nothing below a manifest at which it is told to stop", async () => {
    const backend = new MemoryBackend();
    const [image, other] = [addImage(backend, { seed: 1 }), addImage(backend, { seed: 2 })];
    const index = addIndex(backend, [
      [image, "amd64"],
      [other, "arm64"],
    ]);
    const list = await steps(backend, index, {
      stopAt: async ({ descriptor }) => descriptor.digest === image.descriptor.digest,
    });
    expect(list.every(({ needs }) => needs.length === 0 || needs.length > 1)).toBe(true);
    expect(digests(list)).not.toContain(image.descriptor.digest);
    expect(digests(list)).toContain(other.descriptor.digest);
  });
});
