import { describe, expect, test } from "bun:test";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import { readBuildReport } from "../../src/build/report.ts";
import type { Context } from "../../src/core/context.ts";
import { parseConfig } from "../../src/oci/config.ts";
import { digestOf, makeManifest } from "../../src/oci/make.ts";
import { isIndex } from "../../src/oci/manifest.ts";
import { mediaTypes } from "../../src/oci/media-type.ts";
import { parseReference } from "../../src/oci/reference.ts";
import { type AppendReport, append } from "../../src/operations/append.ts";
import { appendSchema, parseWords } from "../../src/operations/append-schema.ts";
import { openBackend, openSource } from "../../src/operations/open.ts";
import { copy } from "../../src/store/copy.ts";
import { MemoryBackend } from "../../src/store/memory.ts";
import { Store } from "../../src/store/store.ts";
import { walk } from "../../src/store/walk.ts";
import { withFolder } from "../support/folder.ts";
import { addBlob, addImage, addManifest } from "../support/graph.ts";
import { manifestWith, minimalManifest } from "../support/manifest-text.ts";
import { withRealContext } from "../support/real-context.ts";
import { startTestRegistry } from "../support/registry.ts";
import { thrownBy } from "../support/thrown.ts";

type Raw = v.InferInput<typeof appendSchema>;

async function run(context: Context, raw: Raw): Promise<AppendReport> {
  return append(context, v.parse(appendSchema, raw));
}

async function inFolder(
  files: Readonly<Record<string, string | Uint8Array>>,
  body: (context: Context & { events: unknown[] }, folder: string) => Promise<void>,
  env: Readonly<Record<string, string>> = {},
): Promise<void> {
  await withFolder(files, (folder) => withRealContext({ cwd: folder, env }, (context) => body(context, folder)));
}

/** Every manifest, config and layer of what a reference names, read and checked. */
async function readWhole(context: Context, reference: string) {
  const { location, tag, digest } = parseReference(reference);
  const store = await openSource(context, location);
  try {
    const root = await store.resolve(digest ?? tag, context);
    const configs: ReturnType<typeof parseConfig>[] = [];
    for await (const { manifest, kind, descriptor } of walk(store, [root], { referrers: "all" }, context)) {
      if (kind === "blob") await store.bytes("blob", descriptor, 1e8, context);
      if (manifest && !isIndex(manifest.value)) {
        configs.push(parseConfig(await store.bytes("blob", manifest.value.config, 1e6, context), "config"));
      }
    }
    return { root, configs };
  } finally {
    await store.close();
  }
}

describe("append()", () => {
  const files = { "dist/run": "#!/bin/sh\n", "dist/lib/a": "a" };

  test.each(["oci:out:1.0", "oci-archive:out.tar:1.0"])(
    "puts a whole image into %s and leaves nothing else",
    async (output) => {
      await inFolder(files, async (context, folder) => {
        const report = await run(context, { layer: ["dist:/app"], entrypoint: "/app/run -v", output });
        const { root, configs } = await readWhole(context, output);
        expect(root.descriptor).toMatchObject({
          digest: report.digest,
          mediaType: mediaTypes.ociManifest,
          size: report.size,
        });
        expect(configs[0]).toMatchObject({
          os: "linux",
          architecture: "amd64",
          config: { Entrypoint: ["/app/run", "-v"] },
        });
        expect(configs[0]?.rootfs.diff_ids).toEqual([...(report.images[0]?.diffIds ?? [])]);
        const out = output.includes("archive") ? "out.tar" : "out";
        expect((await readdir(folder)).sort()).toEqual(["dist", out]);
      });
    },
  );

  test("puts it into a registry under every tag, latest where none is given", async () => {
    const registry = await startTestRegistry();
    try {
      await inFolder(files, async (context) => {
        const named = `${registry.host}/team/app`;
        const one = await run(context, { layer: ["dist"], output: `${named}:1`, tag: ["2", "1"] });
        const none = await run(context, { layer: ["dist"], output: `${named}/other` });
        expect([one.tags, none.tags]).toEqual([["1", "2"], ["latest"]]);
        for (const reference of [`${named}:1`, `${named}:2`, `${named}/other:latest`]) {
          expect((await readWhole(context, reference)).root.descriptor.digest).toBe(one.digest);
        }
      });
    } finally {
      await registry.stop();
    }
  });

  test("makes an index of several platforms from scratch", async () => {
    await inFolder(files, async (context) => {
      const platform = ["linux/arm64", "linux/amd64", "linux/arm64"];
      const report = await run(context, { layer: ["dist"], platform, output: "oci:out:1" });
      expect(report.images.map((image) => image.platform)).toEqual(["linux/arm64", "linux/amd64"]);
      const { root, configs } = await readWhole(context, "oci:out:1");
      expect(root.descriptor.mediaType).toBe(mediaTypes.ociIndex);
      expect(configs.map(({ architecture }) => architecture).sort()).toEqual(["amd64", "arm64"]);
    });
  });

  test("gives a layer for one platform to the images of that platform alone", async () => {
    await inFolder(files, async (context) => {
      const layer = ["dist/lib:/lib", "linux/arm64=dist:/all"];
      const report = await run(context, { layer, platform: ["linux/amd64", "linux/arm64"], output: "oci:out:1" });
      const [amd64, arm64] = report.images;
      expect([amd64?.layers.length, arm64?.layers.length, arm64?.diffIds.length]).toEqual([1, 2, 2]);
      expect(arm64?.layers[0]).toBe(amd64?.layers[0] as never);
      await readWhole(context, "oci:out:1");
    });
  });

  test("gives an equal image again, elsewhere and later; SOURCE_DATE_EPOCH changes it", async () => {
    const digests: string[] = [];
    for (const epoch of [undefined, undefined, "0", "86400"]) {
      const env: Record<string, string> = epoch === undefined ? {} : { SOURCE_DATE_EPOCH: epoch };
      await inFolder(
        files,
        async (context) => void digests.push((await run(context, { layer: ["dist"], output: "oci:out:1" })).digest),
        env,
      );
    }
    expect(digests[1]).toBe(digests[0] ?? "");
    expect(digests[2]).toBe(digests[0] ?? "");
    expect(digests[3]).not.toBe(digests[0] ?? "");
  });

  test.each(["x", "-1", "1e3", "99999999999999"])("refuses SOURCE_DATE_EPOCH=%s", async (epoch) => {
    await inFolder(
      files,
      async (context) => {
        const made = run(context, { layer: ["dist"], output: "oci:out:1" });
        await expect(made).rejects.toMatchObject({ code: "invalid-configuration", exitStatus: 2 });
      },
      { SOURCE_DATE_EPOCH: epoch },
    );
  });

  test.each<[string, Raw, string]>([
    ["no place to put it", { layer: ["dist"] }, "usage"],
    ["nothing to append", { output: "oci:out:1", tag: [] }, "usage"],
    ["a digest as output", { layer: ["dist"], output: `oci:out@${digestOf("x")}` }, "usage"],
    ["--layout without a manifest", { layer: ["dist"], output: "oci:out:1", layout: "x" }, "usage"],
    ["a tag that is none", { layer: ["dist"], output: "127.0.0.1:1/a/b", tag: ["a/b"] }, "usage"],
    [
      "a pattern as platform from scratch",
      { layer: ["dist"], output: "oci:out:1", platform: ["linux/*"] },
      "invalid-platform",
    ],
    [
      "a layer for a platform that the image has not",
      { layer: ["linux/arm64=dist"], output: "oci:out:1" },
      "invalid-platform",
    ],
    ["a layer that is not there", { layer: ["dist", "absent:/x"], output: "oci:out:1" }, "invalid-input"],
    ["a manifest with an output", { layer: ["dist"], output: "oci:out:1", manifest: "m.yaml" }, "usage"],
    ["a manifest that is not there", { layer: ["dist"], manifest: "m.yaml" }, "invalid-manifest-file"],
  ])("refuses %s with exit 2, and writes nothing", async (_, raw, code) => {
    await inFolder(files, async (context, folder) => {
      await expect(run(context, raw)).rejects.toMatchObject({ code, exitStatus: 2 });
      expect(await readdir(folder)).toEqual(["dist"]);
    });
  });
});

describe("append() to a base", () => {
  /** A layout `base` with an index of two images and an attestation, as BuildKit writes it, under the tag 1. */
  async function withBase(
    body: (context: Context & { events: unknown[] }, folder: string) => Promise<void>,
  ): Promise<void> {
    await inFolder({ "dist/f": "x" }, async (context, folder) => {
      const memory = new MemoryBackend();
      const [amd64, arm64] = [addImage(memory, { seed: 1 }), addImage(memory, { seed: 2, architecture: "arm64" })];
      const attestation = addManifest(memory, {
        schemaVersion: 2,
        artifactType: "application/vnd.docker.attestation.manifest.v1+json",
        config: addBlob(memory, Buffer.from("{}"), mediaTypes.ociEmpty),
        layers: [],
        subject: amd64.descriptor,
      });
      const index = addManifest(memory, {
        schemaVersion: 2,
        mediaType: mediaTypes.ociIndex,
        manifests: [
          { ...amd64.descriptor, platform: { os: "linux", architecture: "amd64" } },
          { ...arm64.descriptor, platform: { os: "linux", architecture: "arm64" } },
          {
            ...attestation.descriptor,
            platform: { os: "unknown", architecture: "unknown" },
            annotations: {
              "vnd.docker.reference.type": "attestation-manifest",
              "vnd.docker.reference.digest": amd64.descriptor.digest,
            },
          },
        ],
      });
      const target = await openBackend(context, { kind: "layout", path: join(folder, "base") });
      const steps = walk(new Store(memory), [index], { referrers: "none" }, context);
      await copy(steps, target, { entries: [{ manifest: index, tag: "1" }] }, context);
      await body(context, folder);
    });
  }

  test("takes every platform of it, without its attestations, and says so", async () => {
    await withBase(async (context) => {
      const report = await run(context, { base: "oci:base:1", layer: ["dist:/etc"], output: "oci:out:1" });
      expect(report.images.map(({ platform }) => platform)).toEqual(["linux/amd64", "linux/arm64"]);
      const { root, configs } = await readWhole(context, "oci:out:1");
      expect(isIndex(root.value) && root.value.manifests.length).toBe(2);
      expect(configs.map(({ rootfs }) => rootfs.diff_ids?.length)).toEqual([3, 3]);
      expect(context.events).toContainEqual(expect.objectContaining({ kind: "warning", code: "attestations-dropped" }));
    });
  });

  test("takes one platform as an image of its own, with a digest for base and no path as its name", async () => {
    await withBase(async (context) => {
      const raw = { base: "oci:base:1", layer: ["dist"], platform: ["linux/arm64"], output: "oci:out:1" };
      const report = await run(context, raw);
      const { root, configs } = await readWhole(context, "oci:out:1");
      expect([report.mediaType, configs[0]?.architecture]).toEqual([mediaTypes.ociManifest, "arm64"]);
      expect(Object.keys(root.value.annotations ?? {})).toEqual(["org.opencontainers.image.base.digest"]);
    });
  });

  test("changes settings alone, without a layer", async () => {
    await withBase(async (context) => {
      await run(context, { base: "oci:base:1", user: "nobody", output: "oci:out:1" });
      const { configs } = await readWhole(context, "oci:out:1");
      expect(configs.map(({ config, rootfs }) => [config?.User, rootfs.diff_ids?.length])).toEqual([
        ["nobody", 2],
        ["nobody", 2],
      ]);
    });
  });

  test("gives no entry to folders of a prefix, whose owner is the base's", async () => {
    await withBase(async (context, folder) => {
      await run(context, {
        base: "oci:base:1",
        layer: ["dist:/tmp/x"],
        platform: ["linux/amd64"],
        output: "oci:out:1",
      });
      await run(context, { layer: ["dist:/tmp/x"], output: "oci:plain:1" });
      const last = async (name: string): Promise<string> => {
        const store = await openSource(context, { kind: "layout", path: join(folder, name) });
        const { value } = await store.resolve("1", context);
        const layer = isIndex(value) ? undefined : value.layers.at(-1);
        if (layer === undefined) throw new Error("no layer");
        const listing = Bun.spawnSync(["tar", "-tzf", "-"], { stdin: await store.bytes("blob", layer, 1e6, context) });
        return listing.stdout.toString();
      };
      expect([await last("out"), await last("plain")]).toEqual(["tmp/x/f\n", "tmp/\ntmp/x/\ntmp/x/f\n"]);
    });
  });

  test.each<[string, Raw, string]>([
    ["a tag that it lacks", { base: "oci:base:2", layer: ["dist"], output: "oci:out:1" }, "not-found"],
    [
      "a platform that it lacks",
      { base: "oci:base:1", layer: ["dist"], platform: ["linux/s390x"], output: "oci:out:1" },
      "not-found",
    ],
  ])("refuses %s", async (_, raw, code) => {
    await withBase(async (context) => {
      await expect(run(context, raw)).rejects.toMatchObject({ code });
    });
  });

  test("refuses a base that is an artifact", async () => {
    await withBase(async (context) => {
      const memory = new MemoryBackend();
      const config = addBlob(memory, Buffer.from("{}"), "application/vnd.example.config");
      const artifact = makeManifest({ schemaVersion: 2, config, layers: [] });
      memory.add({ kind: "manifest", descriptor: artifact.descriptor }, artifact.bytes);
      const target = await openBackend(context, { kind: "layout", path: "artifact" });
      const steps = walk(new Store(memory), [artifact], { referrers: "none" }, context);
      await copy(steps, target, { entries: [{ manifest: artifact, tag: "1" }] }, context);
      const made = run(context, { base: "oci:artifact:1", layer: ["dist"], output: "oci:out:1" });
      await expect(made).rejects.toMatchObject({ code: "invalid-input", exitStatus: 2 });
    });
  });
});

const head = "a".repeat(40);
const repository = {
  ".git/HEAD": "ref: refs/heads/main\n",
  ".git/refs/heads/main": `${head}\n`,
  ".git/config": "[core]\n",
};

function isWarning(event: unknown, code: string): boolean {
  return Bun.deepMatch({ kind: "warning", code }, event);
}

describe("append() with a manifest", () => {
  const files = { ".library.manifest.yaml": minimalManifest, "dist/f": "x" };

  test("lands where build would, with its tags, labels and annotations", async () => {
    await inFolder(files, async (context, folder) => {
      const raw = {
        manifest: ".library.manifest.yaml",
        layer: ["dist:/app"],
        label: ["org.example.mine=1"],
        env: ["A=b"],
      };
      const report = await run(context, raw);
      expect(report.tags).toEqual(["1.10", "latest"]);
      for (const tag of report.tags) {
        const { root, configs } = await readWhole(context, `oci:${folder}/.library/layout:${tag}`);
        expect(root.descriptor.digest).toBe(report.digest);
        expect(root.value.annotations).toMatchObject({
          "org.opencontainers.image.title": "Viewer",
          "org.opencontainers.image.created": "1970-01-01T00:00:00Z",
        });
        expect(configs[0]?.config?.Labels).toEqual({ ...root.value.annotations, "org.example.mine": "1" });
      }
      const recorded = await readBuildReport(join(folder, ".library/build.json"));
      expect(recorded).toMatchObject({
        status: "ok",
        builder: "append",
        digest: report.digest,
        manifestDigest: digestOf(await readFile(join(folder, ".library.manifest.yaml"))),
        layout: ".library/layout",
        tags: [
          { name: "1.10", reference: "registry.example.org/astro/viewer:1.10" },
          { name: "latest", reference: "registry.example.org/astro/viewer:latest" },
        ],
      });
      expect((await readdir(join(folder, ".library"))).sort()).toEqual([".gitignore", "build.json", "layout"]);
    });
  });

  test("records a failure, with what it was", async () => {
    await inFolder(files, async (context, folder) => {
      await writeFile(join(folder, "broken.tar"), Bun.gzipSync("no tar"));
      const made = run(context, { manifest: ".library.manifest.yaml", layer: ["broken.tar"] });
      await expect(made).rejects.toMatchObject({ code: "malformed-archive" });
      const recorded = await readBuildReport(join(folder, ".library/build.json"));
      expect(recorded).toMatchObject({ status: "failed", failure: { code: "malformed-archive" } });
      expect(recorded?.digest).toBeUndefined();
      expect((await readdir(join(folder, ".library"))).sort()).toEqual([".gitignore", "build.json"]);
    });
  });

  test("keeps the report of the last good build where a layer is mistyped", async () => {
    await inFolder(files, async (context, folder) => {
      const manifest = ".library.manifest.yaml";
      const { digest } = await run(context, { manifest, layer: ["dist"] });
      for (const layer of ["absent", manifest, "dist/f"]) {
        const made = run(context, { manifest, layer: ["dist", layer] });
        await expect(made).rejects.toMatchObject({ code: "invalid-input", exitStatus: 2 });
      }
      expect(await readBuildReport(join(folder, ".library/build.json"))).toMatchObject({ status: "ok", digest });
    });
  });

  test.each<[string, Raw, string]>([
    ["nothing to append", {}, "usage"],
    ["a platform that the manifest does not name", { layer: ["dist"], platform: ["linux/s390x"] }, "invalid-platform"],
    ["a layer for such a platform", { layer: ["linux/s390x=dist"] }, "invalid-platform"],
  ])("refuses %s, and records nothing", async (_, raw, code) => {
    await inFolder(files, async (context, folder) => {
      const made = run(context, { manifest: ".library.manifest.yaml", ...raw });
      await expect(made).rejects.toMatchObject({ code, exitStatus: 2 });
      expect(await readdir(folder)).not.toContain(".library");
    });
  });

  test("makes the platforms of the manifest that are asked for", async () => {
    const manifest = manifestWith("build:\n", "build:\n  platforms: [linux/amd64, linux/arm64, windows/amd64]\n");
    await inFolder({ ...files, ".library.manifest.yaml": manifest }, async (context) => {
      const raw = { manifest: ".library.manifest.yaml", layer: ["dist"] };
      const made = async (platform: string[]) =>
        (await run(context, { ...raw, platform })).images.map((image) => image.platform);
      expect(await made([])).toEqual(["linux/amd64", "linux/arm64", "windows/amd64"]);
      expect(await made(["linux/*"])).toEqual(["linux/amd64", "linux/arm64"]);
      expect(await made(["windows/amd64"])).toEqual(["windows/amd64"]);
    });
  });

  test("warns that a Dockerfile is not used, once, and only where there is one", async () => {
    const raw = { manifest: ".library.manifest.yaml", layer: ["dist"], platform: [] };
    for (const [dockerfile, count] of [[{}, 0] as const, [{ Dockerfile: "FROM scratch" }, 1] as const]) {
      await inFolder({ ...files, ...dockerfile }, async (context) => {
        await run(context, raw);
        const warnings = context.events.filter((event) => isWarning(event, "dockerfile-unused"));
        expect(warnings).toHaveLength(count);
      });
    }
  });

  test.each([
    ["none", "", head, false],
    ["HEAD", `revision: ${head}`, head, false],
    ["the first digits of HEAD", `revision: ${head.slice(0, 7)}`, head.slice(0, 7), false],
    ["another", `revision: ${"b".repeat(40)}`, "b".repeat(40), true],
  ])("with a manifest whose revision is %s labels and warns as it should", async (_, line, label, isStale) => {
    const manifest = manifestWith("  discovery:\n", `  discovery:\n    ${line}\n`);
    await inFolder({ ...files, ...repository, ".library.manifest.yaml": manifest }, async (context, folder) => {
      await run(context, { manifest: ".library.manifest.yaml", layer: ["dist"] });
      const { root } = await readWhole(context, `oci:${folder}/.library/layout:latest`);
      expect(root.value.annotations?.["org.opencontainers.image.revision"]).toBe(label);
      expect(context.events.some((event) => isWarning(event, "stale-revision"))).toBe(isStale);
    });
  });

  test("names the manifest of the folder where neither it nor an output is given", async () => {
    const hint = expect.stringContaining("-m .library.manifest.yaml");
    await inFolder(files, async (context) => {
      await expect(run(context, { layer: ["dist"] })).rejects.toMatchObject({ code: "usage", hint });
    });
  });

  test("writes into another layout, and records where", async () => {
    await inFolder(files, async (context, folder) => {
      const report = await run(context, { manifest: ".library.manifest.yaml", layer: ["dist"], layout: "elsewhere" });
      expect((await readWhole(context, `oci:${folder}/elsewhere:latest`)).root.descriptor.digest).toBe(report.digest);
      expect(await readBuildReport(join(folder, ".library/build.json"))).toMatchObject({ layout: "elsewhere" });
    });
  });
});

describe("appendSchema", () => {
  const parse = (raw: Raw) => v.safeParse(appendSchema, raw);

  test.each<[Raw]>([
    [{ env: ["A"] }],
    [{ env: ["=b"] }],
    [{ label: ["key"] }],
    [{ expose: ["0"] }],
    [{ expose: ["65536"] }],
    [{ expose: ["80/http"] }],
    [{ expose: ["80-90"] }],
    [{ workdir: "relative" }],
    [{ workdir: "/a\nb" }],
    [{ user: "a b" }],
    [{ user: "" }],
    [{ layout: "" }],
  ])("refuses %j", (raw) => {
    expect(parse(raw).success).toBe(false);
  });

  test("reads settings", () => {
    const raw: Raw = { env: ["A=b=c", "E="], expose: ["80", "53/udp"], label: ["k=1", "k=2"], cmd: "", user: "1:2" };
    expect(v.parse(appendSchema, raw).edits).toEqual({
      entrypoint: undefined,
      cmd: [],
      env: [
        ["A", "b=c"],
        ["E", ""],
      ],
      workdir: undefined,
      user: "1:2",
      expose: ["80/tcp", "53/udp"],
      labels: { k: "2" },
    });
  });

  test.each([
    ['["a b","-c"]', ["a b", "-c"]],
    ['  ["a"]', ["a"]],
    ["[]", []],
    ["a 'b c' -d", ["a", "b c", "-d"]],
    ["", []],
  ])("parseWords(%j) is %j", (text, words) => {
    expect(parseWords(text, "--cmd")).toEqual(words);
  });

  test.each(["[a]", "[1]", '["a"', '[["a"]]', "'a"])("parseWords() refuses %j", (text) => {
    expect(thrownBy(() => parseWords(text, "--cmd"))).toMatchObject({ code: "usage" });
  });
});
