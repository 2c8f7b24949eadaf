import { describe, expect, test } from "bun:test";
import type { Content } from "../../src/core/content.ts";
import { annotationKeys } from "../../src/oci/annotations.ts";
import type { Descriptor } from "../../src/oci/descriptor.ts";
import { describe as describeBytes } from "../../src/oci/make.ts";
import type { ImageIndex, Manifest } from "../../src/oci/manifest.ts";
import { mediaTypes } from "../../src/oci/media-type.ts";
import { parsePlatform } from "../../src/oci/platform.ts";
import { MemoryBackend } from "../../src/store/memory.ts";
import { platformMembers, selectPlatforms } from "../../src/store/select-platforms.ts";
import { Store } from "../../src/store/store.ts";
import { addImage, addManifest } from "../support/graph.ts";
import { testIo } from "../support/io.ts";

const io = testIo();

/** Counts what is read of it. */
class CountingBackend extends MemoryBackend {
  reads = 0;
  override async read(...given: Parameters<MemoryBackend["read"]>): Promise<Content | undefined> {
    this.reads++;
    return super.read(...given);
  }
}

function addIndexOf(backend: MemoryBackend, manifests: readonly Descriptor[]): Manifest {
  return addManifest(backend, { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests });
}

function linux(architecture: string, variant?: string) {
  return { platform: { os: "linux", architecture, ...(variant ? { variant } : {}) } };
}

describe("platformMembers()", () => {
  test("reads what nested indexes repeat once", async () => {
    const backend = new CountingBackend("hostile");
    const image = addImage(backend, {});
    const inner = addIndexOf(backend, Array(2000).fill(image.descriptor));
    const outer = addIndexOf(backend, Array(2000).fill(inner.descriptor));
    const members = await platformMembers(new Store(backend), outer, io);
    expect(members.map(({ descriptor }) => descriptor.digest)).toEqual([image.descriptor.digest]);
    expect(backend.reads).toBeLessThan(10);
  });

  test("keeps an image that is listed for two platforms", async () => {
    const backend = new MemoryBackend("two");
    const { descriptor } = addImage(backend, {});
    const root = addIndexOf(backend, [
      { ...descriptor, ...linux("arm", "v6") },
      { ...descriptor, ...linux("arm", "v7") },
    ]);
    const members = await platformMembers(new Store(backend), root, io);
    expect(members.map(({ platform }) => platform.variant)).toEqual(["v6", "v7"]);
  });

  test("refuses over 100,000 manifests with limit-exceeded", async () => {
    const backend = new MemoryBackend("hostile");
    const indexes = Array.from({ length: 11 }, (_, at) =>
      addIndexOf(
        backend,
        Array.from({ length: 10_000 }, (_, entry) => ({
          mediaType: mediaTypes.ociManifest,
          digest: `sha256:${(at * 10_000 + entry).toString(16).padStart(64, "0")}` as const,
          size: 2,
          ...linux("amd64"),
        })),
      ),
    );
    const root = addIndexOf(
      backend,
      indexes.map(({ descriptor }) => descriptor),
    );
    const reading = platformMembers(new Store(backend), root, io);
    await expect(reading).rejects.toMatchObject({ code: "limit-exceeded" });
  }, 30_000);
});

describe("selectPlatforms()", () => {
  test("keeps the attestations of chosen images that lie in nested indexes, and no others", async () => {
    const backend = new MemoryBackend("nested");
    const images = ["amd64", "arm64"].map((architecture, at) => addImage(backend, { seed: at + 1, architecture }));
    const attestations = images.map(({ descriptor }, at) => ({
      ...describeBytes(new Uint8Array([at]), mediaTypes.ociManifest),
      platform: { os: "unknown", architecture: "unknown" },
      annotations: { [annotationKeys.dockerReferenceDigest]: descriptor.digest },
    }));
    const nested = images.map(({ descriptor }, at) => {
      const attestation = attestations[at];
      if (!attestation) throw new Error("each image has one");
      return addIndexOf(backend, [{ ...descriptor, ...linux(at === 0 ? "amd64" : "arm64") }, attestation]);
    });
    const riscv = addImage(backend, { seed: 3, architecture: "riscv64" });
    const root = addIndexOf(backend, [
      { ...riscv.descriptor, ...linux("riscv64") },
      ...nested.map(({ descriptor }) => descriptor),
    ]);
    const patterns = ["linux/riscv64", "linux/arm64"].map((text) => parsePlatform(text));
    const selected = await selectPlatforms(new Store(backend), root, patterns, io);
    const value = selected.root.value as ImageIndex; // Several platforms give an index
    expect(value.manifests.map(({ digest }) => digest)).toEqual(
      [riscv.descriptor, images[1]?.descriptor, attestations[1]].flatMap((found) => found?.digest ?? []),
    );
  });
});
