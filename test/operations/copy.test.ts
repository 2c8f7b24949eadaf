import { describe, expect, test } from "bun:test";
import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { annotationKeys } from "../../src/oci/annotations.ts";
import { mediaTypes } from "../../src/oci/media-type.ts";
import { parsePlatform } from "../../src/oci/platform.ts";
import { parseExplicitReference } from "../../src/oci/reference.ts";
import { referrersTag } from "../../src/oci/referrers-tag.ts";
import { type CopyInput, type CopyReport, copy } from "../../src/operations/copy.ts";
import { exportImage } from "../../src/operations/export.ts";
import { tags } from "../../src/operations/tags.ts";
import { MemoryBackend } from "../../src/store/memory.ts";
import { makeSample } from "../contract/sample.ts";
import { addBlob, addImage, addManifest } from "../support/graph.ts";
import { type Places, withPlaces } from "../support/image-places.ts";

type Choices = Partial<Omit<CopyInput, "source" | "destination" | "platform">> & {
  readonly platform?: readonly string[];
};

async function run(
  { context }: Places,
  source: string,
  destination: string,
  { platform = [], ...choices }: Choices = {},
): Promise<CopyReport> {
  return copy(context, {
    source: parseExplicitReference(source),
    destination: parseExplicitReference(destination),
    tag: [],
    allTags: false,
    referrers: "all",
    trustExisting: false,
    allowMissing: false,
    ...choices,
    platform: platform.map(parsePlatform),
  });
}

async function tagsAt({ context }: Places, place: string, all = false): Promise<readonly string[]> {
  const { location } = parseExplicitReference(place);
  return (await tags(context, { location, all })).tags;
}

/** Requests that carry bytes of a blob. */
function uploads({ registry }: Places): readonly string[] {
  return registry.requests
    .filter(({ method, path }) => (method === "PUT" || method === "PATCH") && path.includes("/blobs/uploads/"))
    .map(({ path }) => path);
}

describe("copy() between every two kinds of places keeps the digest of the whole graph", () => {
  const places = ["HOST/a/source", "oci:source", "oci-archive:source.tar"];
  const pairs = places.flatMap((from) => places.map((to) => [from, to.replace("source", "target")] as const));
  test.each(pairs)("%s to %s", async (from, to) => {
    await withPlaces({}, async (world) => {
      const { backend, index } = makeSample();
      const [source, destination] = [from, to].map((place) => place.replace("HOST", world.registry.host));
      await world.seed(`${source}:1.0`, backend, index);
      const report = await run(world, `${source}:1.0`, `${destination}:2.0`);
      const { digest, mediaType, size } = index.descriptor;
      expect(report).toMatchObject({
        status: "ok",
        source: `${source}:1.0`,
        destination: `${destination}:2.0`,
        images: [{ digest, mediaType, size, tags: ["2.0"] }],
      });
      expect(await world.digests(`${destination}:2.0`)).toEqual(await world.digests(`${source}:1.0`));
    });
  });
});

describe("copy() names the image at the destination", () => {
  test.each(["oci:source", "oci-archive:source.tar"])("as the only entry of %s is named", async (source) => {
    await withPlaces({}, async (world) => {
      const { backend, index } = makeSample();
      await world.seed(`${source}:1.0`, backend, index);
      const report = await run(world, source, `${world.registry.host}/a/b`);
      expect(report.images[0]?.tags).toEqual(["1.0"]);
      expect(await tagsAt(world, `${world.registry.host}/a/b`)).toEqual(["1.0"]);
    });
  });

  test("with the tag of a registry's reference", async () => {
    await withPlaces({}, async (world) => {
      const { backend, image } = makeSample();
      await world.seed(`${world.registry.host}/a/b:1.10`, backend, image);
      await run(world, `${world.registry.host}/a/b:1.10`, "oci:target");
      expect(await tagsAt(world, "oci:target")).toEqual(["1.10"]);
    });
  });

  test("with its own tag and every --tag, each once", async () => {
    await withPlaces({}, async (world) => {
      const { backend, image } = makeSample();
      await world.seed("oci:source:1", backend, image);
      const place = `${world.registry.host}/a/b`;
      const report = await run(world, "oci:source:1", `${place}:x`, { tag: ["y", "x", "z"] });
      expect(report.images[0]?.tags).toEqual(["x", "y", "z"]);
      expect(await tagsAt(world, place)).toEqual(["x", "y", "z"]);
      for (const tag of ["x", "y", "z"]) {
        expect((await world.resolved(`${place}:${tag}`)).descriptor.digest).toBe(image.descriptor.digest);
      }
    });
  });

  test("with --tag alone where only those are given", async () => {
    await withPlaces({}, async (world) => {
      const { backend, image } = makeSample();
      await world.seed("oci:source:1", backend, image);
      await run(world, "oci:source:1", "oci:target", { tag: ["y"] });
      expect(await tagsAt(world, "oci:target")).toEqual(["y"]);
    });
  });

  test("by digest alone where that is what the source was named by", async () => {
    await withPlaces({}, async (world) => {
      const { backend, image } = makeSample();
      await world.seed("oci:source:1", backend, image);
      const { digest } = image.descriptor;
      const place = `${world.registry.host}/a/b`;
      expect((await run(world, `oci:source@${digest}`, place)).images[0]?.tags).toEqual([]);
      expect(await tagsAt(world, place)).toEqual([]);
      expect((await world.resolved(`${place}@${digest}`)).descriptor.digest).toBe(digest);
      expect((await run(world, "oci:source:1", `${place}@${digest}`)).images[0]?.tags).toEqual([]);
    });
  });
});

describe("copy() refuses with exit 2, and writes nothing,", () => {
  const other = `sha256:${"1".repeat(64)}`;
  test.each<[string, string, string, Choices, string]>([
    ["a destination with another digest", "oci:source:1", `oci:target@${other}`, {}, "usage"],
    ["a source's tag with --all-tags", "oci:source:1", "oci:target", { allTags: true }, "usage"],
    ["a destination's tag with --all-tags", "oci:source", "oci:target:1", { allTags: true }, "usage"],
    ["a destination's digest with --all-tags", "oci:source", `oci:target@${other}`, { allTags: true }, "usage"],
    ["--tag with --all-tags", "oci:source", "oci:target", { allTags: true, tag: ["x"] }, "usage"],
    ["a --tag that is none", "oci:source:1", "oci:target", { tag: ["a/b"] }, "invalid-reference"],
    ["a source with several entries and no name", "oci:source", "oci:target", {}, "ambiguous-reference"],
  ])("%s", async (_, source, destination, choices, code) => {
    await withPlaces({}, async (world) => {
      const { backend, image, index } = makeSample();
      await world.seed("oci:source:1", backend, image);
      await world.seed("oci:source:2", backend, index);
      await expect(run(world, source, destination, choices)).rejects.toMatchObject({ code, exitStatus: 2 });
      expect(await readdir(world.folder)).toEqual(["source"]);
    });
  });

  test("a layout's name that is no tag, for a registry", async () => {
    await withPlaces({}, async (world) => {
      const { backend, image } = makeSample();
      await world.seed("oci:source:1+rc", backend, image);
      const copying = run(world, "oci:source:1+rc", `${world.registry.host}/a/b`);
      await expect(copying).rejects.toMatchObject({ code: "invalid-reference", exitStatus: 2 });
      expect(world.registry.requests).toEqual([]);
    });
  });
});

describe("copy() --all-tags", () => {
  test("takes every tag, and referrers without their fallback tags", async () => {
    await withPlaces({ faults: { noReferrersApi: true } }, async (world) => {
      const { backend, index, image } = makeSample();
      const place = `${world.registry.host}/a/b`;
      await world.seed(`${place}:multi`, backend, index);
      await world.seed(`${place}:single`, backend, image);
      await world.seed(`${place}:also`, backend, index);
      const fallback = referrersTag(index.descriptor.digest);
      expect(await tagsAt(world, place, true)).toContain(fallback);
      const report = await run(world, place, "oci:target", { allTags: true });
      expect(report.images).toMatchObject([
        { digest: index.descriptor.digest, tags: ["also", "multi"] },
        { digest: image.descriptor.digest, tags: ["single"] },
      ]);
      expect(await tagsAt(world, "oci:target", true)).toEqual(["also", "multi", "single"]);
      expect(await world.digests("oci:target:multi")).toEqual(await world.digests(`${place}:multi`));
    });
  });
});

describe("copy() --platform", () => {
  /** BuildKit's shape: two images, each with an attestation manifest beside it. */
  function attested() {
    const memory = new MemoryBackend();
    const images = ["amd64", "arm64"].map((architecture, seed) => addImage(memory, { seed, architecture }));
    const attestations = images.map(({ descriptor }, seed) => {
      const config = addBlob(memory, new TextEncoder().encode(`{"seed":${seed}}`), mediaTypes.ociConfig);
      return { about: descriptor.digest, manifest: addManifest(memory, { schemaVersion: 2, config, layers: [] }) };
    });
    const index = addManifest(memory, {
      schemaVersion: 2,
      mediaType: mediaTypes.ociIndex,
      manifests: [
        ...images.map(({ descriptor }, at) => ({
          ...descriptor,
          platform: { os: "linux", architecture: at === 0 ? "amd64" : "arm64" },
        })),
        ...attestations.map(({ about, manifest }) => ({
          ...manifest.descriptor,
          platform: { os: "unknown", architecture: "unknown" },
          annotations: {
            [annotationKeys.dockerReferenceType]: "attestation-manifest",
            [annotationKeys.dockerReferenceDigest]: about,
          },
        })),
      ],
    });
    return { memory, index, images, attestations };
  }

  test("once takes that image, under its own digest", async () => {
    await withPlaces({}, async (world) => {
      const { memory, index, images } = attested();
      await world.seed("oci:source:1", memory, index);
      const report = await run(world, "oci:source:1", "oci:target", { platform: ["linux/arm64"] });
      const digest = images[1]?.descriptor.digest as string;
      expect(report.images).toMatchObject([{ digest, tags: ["1"] }]);
      expect((await world.resolved("oci:target:1")).descriptor.digest as string).toBe(digest);
    });
  });

  test.each([[["linux/arm64", "linux/amd64"]], [["linux/*"]]])("as %p makes an index of those", async (platform) => {
    await withPlaces({}, async (world) => {
      const { memory, index } = attested();
      await world.seed("oci:source:1", memory, index);
      await run(world, "oci:source:1", "oci:target", { platform });
      const { value } = await world.resolved("oci:target:1");
      expect("manifests" in value && value.manifests.length).toBe(4);
    });
  });

  test("with a wildcard leaves out the attestations of what it leaves out", async () => {
    await withPlaces({}, async (world) => {
      const { memory, index, images, attestations } = attested();
      await world.seed("oci:source:1", memory, index);
      await run(world, "oci:source:1", "oci:target", { platform: ["*/amd64"] });
      const { descriptor, value } = await world.resolved("oci:target:1");
      expect(descriptor.digest).not.toBe(index.descriptor.digest);
      const members = "manifests" in value ? value.manifests.map(({ digest }) => digest) : [];
      const expected = [images[0]?.descriptor.digest, attestations[0]?.manifest.descriptor.digest];
      expect(members as unknown).toEqual(expected);
      expect((await world.digests("oci:target:1")).length).toBe(7);
    });
  });

  test("fails with not-found for one that the image has not, and writes nothing", async () => {
    await withPlaces({}, async (world) => {
      const { memory, index } = attested();
      await world.seed("oci:source:1", memory, index);
      const copying = run(world, "oci:source:1", "oci:target", { platform: ["windows/amd64"] });
      await expect(copying).rejects.toMatchObject({ code: "not-found", exitStatus: 3 });
      expect(await readdir(world.folder)).toEqual(["source"]);
    });
  });
});

test("copy() --referrers none leaves referrers behind", async () => {
  await withPlaces({}, async (world) => {
    const { backend, index, signature, sbom } = makeSample();
    await world.seed("oci:source:1", backend, index);
    await run(world, "oci:source:1", "oci:target", { referrers: "none" });
    const there = await world.digests("oci:target:1");
    expect(there).toContain(index.descriptor.digest);
    for (const { descriptor } of [signature, sbom]) expect(there).not.toContain(descriptor.digest);
  });
});

describe("copy() of what is there", () => {
  test("asks for every node, and sends nothing", async () => {
    await withPlaces({}, async (world) => {
      const { backend, index } = makeSample();
      const place = `${world.registry.host}/a/b:1`;
      await world.seed("oci:source:1", backend, index);
      await run(world, "oci:source:1", place);
      world.registry.requests.length = 0;
      const { bytesSent, outcomes } = await run(world, "oci:source:1", place);
      expect([bytesSent, outcomes.present]).toEqual([0, (await world.digests(place)).length]);
      expect(world.registry.requests.filter(({ path }) => path.includes("/blobs/")).length).toBeGreaterThan(0);
    });
  });

  test("completes what lacks a blob, unless --trust-existing stops at the manifest", async () => {
    await withPlaces({}, async (world) => {
      const { backend, image } = makeSample();
      await world.seed("oci:source:1", backend, image);
      await run(world, "oci:source:1", "oci:target");
      const layer = "layers" in image.value ? image.value.layers[0]?.digest : undefined;
      const blob = join(world.folder, "target/blobs", (layer ?? "").replace(":", "/"));
      await rm(blob);
      await run(world, "oci:source:1", "oci:target", { trustExisting: true });
      await expect(stat(blob)).rejects.toMatchObject({ code: "ENOENT" });
      await run(world, "oci:source:1", "oci:target");
      expect((await stat(blob)).isFile()).toBe(true);
    });
  });

  test("with --trust-existing asks a registry for no blob, and sets the new tag", async () => {
    await withPlaces({}, async (world) => {
      const { backend, index } = makeSample();
      const place = `${world.registry.host}/a/b`;
      await world.seed("oci:source:1", backend, index);
      await run(world, "oci:source:1", place);
      world.registry.requests.length = 0;
      await run(world, "oci:source:1", `${place}:2`, { trustExisting: true });
      expect(world.registry.requests.filter(({ path }) => path.includes("/blobs/"))).toEqual([]);
      expect((await world.resolved(`${place}:2`)).descriptor.digest).toBe(index.descriptor.digest);
    });
  });
});

describe("copy() of a sparse layout", () => {
  async function sparse(world: Places): Promise<{ readonly path: string; readonly layers: readonly string[] }> {
    const { backend, index, members } = makeSample();
    await world.seed(`${world.registry.host}/a/b:1`, backend, index);
    const { path } = await exportImage(world.context, {
      reference: parseExplicitReference(`${world.registry.host}/a/b:1`),
      layoutDir: "layouts",
      sparse: true,
      platform: [],
      referrers: "none",
    });
    return {
      path,
      layers: members.flatMap(({ value }) => ("layers" in value ? value.layers.map(({ digest }) => digest) : [])),
    };
  }

  test("names every missing digest, and leaves no tag", async () => {
    await withPlaces({}, async (world) => {
      const { path, layers } = await sparse(world);
      const place = `${world.registry.host}/else/where`;
      const error = await run(world, `oci:${path}:1`, place).catch((thrown: Error) => thrown);
      expect(error).toMatchObject({ code: "blob-missing", exitStatus: 3 });
      for (const digest of layers) expect(error).toHaveProperty("message", expect.stringContaining(digest));
      await expect(world.resolved(`${place}:1`)).rejects.toMatchObject({ code: "not-found" });
    });
  });

  test("is completed by a registry that has the layers", async () => {
    await withPlaces({}, async (world) => {
      const { path } = await sparse(world);
      const place = `${world.registry.host}/a/b`;
      const { outcomes } = await run(world, `oci:${path}:1`, `${place}:again`);
      expect(outcomes.sent).toBe(0);
      expect(await world.digests(`${place}:again`)).toEqual(await world.digests(`${place}:1`));
    });
  });

  test("is completed itself by a copy into it", async () => {
    await withPlaces({}, async (world) => {
      const { path } = await sparse(world);
      await run(world, `${world.registry.host}/a/b:1`, `oci:${path}`);
      expect(await world.digests(`oci:${path}:1`)).toEqual(await world.digests(`${world.registry.host}/a/b:1`));
    });
  });
});

describe("copy() --allow-missing", () => {
  test("leaves out a member that the source lacks, where the destination takes that", async () => {
    await withPlaces({}, async (world) => {
      const { backend, index, members } = makeSample();
      await world.seed("oci:source:1", backend, index);
      const [, second] = members;
      await rm(join(world.folder, "source/blobs", (second?.descriptor.digest ?? "").replace(":", "/")));
      await expect(run(world, "oci:source:1", "oci:target")).rejects.toMatchObject({ code: "blob-missing" });
      const { images } = await run(world, "oci:source:1", "oci:target", { allowMissing: true });
      expect(images[0]?.digest).toBe(index.descriptor.digest);
      expect((await world.resolved("oci:target:1")).descriptor.digest).toBe(index.descriptor.digest);
    });
  });
});

describe("copy() within one registry", () => {
  test("mounts every blob and uploads none", async () => {
    await withPlaces({}, async (world) => {
      const { backend, index } = makeSample();
      const from = `${world.registry.host}/a/b:1`;
      await world.seed(from, backend, index);
      world.registry.requests.length = 0;
      const { outcomes } = await run(world, from, `${world.registry.host}/c/d`);
      expect(outcomes.mounted).toBeGreaterThan(0);
      expect(uploads(world)).toEqual([]);
      expect(world.registry.requests.some(({ method, path }) => method === "GET" && path.includes("/blobs/"))).toBe(
        false,
      );
      expect(await world.digests(`${world.registry.host}/c/d:1`)).toEqual(await world.digests(from));
    });
  });

  test("uploads where the registry mounts nothing", async () => {
    await withPlaces({ faults: { noMount: true } }, async (world) => {
      const { backend, index } = makeSample();
      const from = `${world.registry.host}/a/b:1`;
      await world.seed(from, backend, index);
      const { outcomes } = await run(world, from, `${world.registry.host}/c/d`);
      expect(outcomes.mounted).toBe(0);
      expect(uploads(world).length).toBeGreaterThan(0);
      expect(await world.digests(`${world.registry.host}/c/d:1`)).toEqual(await world.digests(from));
    });
  });
});

describe("copy() from a registry that lies", () => {
  const targets = ["oci:target:1", "oci-archive:target.tar:1"];

  test.each(targets)("by a turned bit leaves nothing in %s", async (target) => {
    await withPlaces({ faults: { wrongDigest: true } }, async (world) => {
      const { backend, image } = makeSample();
      await world.seed(`${world.registry.host}/a/b:1`, backend, image);
      const digest = image.descriptor.digest;
      const copying = run(world, `${world.registry.host}/a/b@${digest}`, target);
      await expect(copying).rejects.toMatchObject({ code: "digest-mismatch", exitStatus: 3 });
      expect(world.registry.faults.wrongDigest).toBeGreaterThan(0);
      expect(await readdir(world.folder)).toEqual([]);
    });
  });

  test.each(targets)("by blobs that always break off leaves no content in %s", async (target) => {
    await withPlaces({ faults: { shortBody: { times: 1e6 } } }, async (world) => {
      const memory = new MemoryBackend();
      const image = addImage(memory);
      await world.seed(`${world.registry.host}/a/b:1`, memory, image);
      const copying = run(world, `${world.registry.host}/a/b:1`, target);
      await expect(copying).rejects.toMatchObject({ exitStatus: 3 });
      expect(world.registry.faults.shortBody).toBeGreaterThan(0);
      const left = await readdir(world.folder, { recursive: true });
      expect(left.filter((name) => name.includes("blobs/sha256/") || name.endsWith(".tar"))).toEqual([]);
      if (target.startsWith("oci:")) {
        await expect(world.resolved(target)).rejects.toMatchObject({ code: "not-found" });
      }
    });
  });

  test("by a blob that breaks off once goes on where it ended", async () => {
    await withPlaces({ faults: { shortBody: { times: 1 } } }, async (world) => {
      const memory = new MemoryBackend();
      const image = addImage(memory);
      await world.seed(`${world.registry.host}/a/b:1`, memory, image);
      await run(world, `${world.registry.host}/a/b:1`, "oci:target");
      expect(world.registry.faults.shortBody).toBe(1);
      expect((await world.digests("oci:target:1")).length).toBe(4);
    });
  });
});

test("copy() replaces an archive that is there only when it is told to", async () => {
  await withPlaces({}, async (world) => {
    const { backend, index } = makeSample();
    await world.seed("oci:source:1", backend, index);
    await run(world, "oci:source:1", "oci-archive:x.tar:1");
    await expect(run(world, "oci:source:1", "oci-archive:x.tar:2")).rejects.toMatchObject({ code: "already-exists" });
    expect(await tagsAt(world, "oci-archive:x.tar")).toEqual(["1"]);
    await run(world, "oci:source:1", "oci-archive:x.tar:2", { force: true });
    expect(await tagsAt(world, "oci-archive:x.tar")).toEqual(["2"]);
  });
});
