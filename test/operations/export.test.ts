import { describe, expect, test } from "bun:test";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { parsePlatform } from "../../src/oci/platform.ts";
import { parseReference } from "../../src/oci/reference.ts";
import { type ExportInput, exportImage, exportPath } from "../../src/operations/export.ts";
import { makeSample } from "../contract/sample.ts";
import { withPlaces } from "../support/image-places.ts";
import { thrownBy } from "../support/thrown.ts";

const hex = "0123456789abcdef".repeat(4);
const plain = { sparse: false, platform: [], referrers: "all" } as const;

describe("exportPath() maps", () => {
  test.each([
    ["my-app", "index.docker.io/library/my-app/latest"],
    ["my-app:1.0", "index.docker.io/library/my-app/1.0"],
    ["team/my-app", "index.docker.io/team/my-app/latest"],
    ["docker.io/my-app", "index.docker.io/library/my-app/latest"],
    ["index.docker.io/library/my-app:2", "index.docker.io/library/my-app/2"],
    ["registry.example.org/my-app", "registry.example.org/my-app/latest"],
    ["registry.example.org/a/b/c:v1", "registry.example.org/a/b/c/v1"],
    ["localhost:5000/my-app:1", "localhost:5000/my-app/1"],
    ["127.0.0.1:5000/a/b", "127.0.0.1:5000/a/b/latest"],
    [`my-app@sha256:${hex}`, `index.docker.io/library/my-app/sha256/${hex}`],
    [`registry.example.org/a/b:1@sha256:${hex}`, `registry.example.org/a/b/sha256/${hex}`],
    [`registry.example.org/a/b@sha512:${hex}${hex}`, `registry.example.org/a/b/sha512/${hex}${hex}`],
  ])("%s to %s", (reference, path) => {
    expect(exportPath(parseReference(reference))).toBe(path);
  });

  test.each(["oci:dist:1", "oci-archive:app.tar:1"])("not %s, which is no registry's", (reference) => {
    expect(thrownBy(() => exportPath(parseReference(reference)))).toMatchObject({ code: "usage", exitStatus: 2 });
  });

  test.each(["registry.example.org/../b", "a/../../b:1", "registry.example.org/a/..:1", "a:..", "a/./b"])(
    "not %s, which would leave the folder",
    (reference) => {
      expect(thrownBy(() => exportPath(parseReference(reference)))).toMatchObject({ code: "invalid-reference" });
    },
  );
});

describe("exportImage()", () => {
  const env = { CNB_LAYOUT_DIR: "cnb", LIBRARY_LAYOUT_DIR: "own" };
  test.each<[string, Readonly<Record<string, string>>, Partial<ExportInput>, string]>([
    ["--layout-dir", env, { layoutDir: "flag" }, "flag"],
    ["LIBRARY_LAYOUT_DIR", env, {}, "own"],
    ["CNB_LAYOUT_DIR", { CNB_LAYOUT_DIR: "cnb" }, {}, "cnb"],
    ["CNB_LAYOUT_DIR where the other is empty", { ...env, LIBRARY_LAYOUT_DIR: "" }, {}, "cnb"],
  ])("writes a whole layout below %s, and reports path@digest", async (_, env, choices, below) => {
    await withPlaces({ env }, async (world) => {
      const { backend, index } = makeSample();
      const source = `${world.registry.host}/a/b:1`;
      await world.seed(source, backend, index);
      const report = await exportImage(world.context, { reference: parseReference(source), ...plain, ...choices });
      const path = `${below}/${world.registry.host}/a/b/1`;
      const { digest } = index.descriptor;
      expect(report).toEqual({ status: "ok", source, path, digest, reference: `${path}@${digest}`, sparse: false });
      expect(await world.digests(`oci:${path}:1`)).toEqual(await world.digests(source));
      expect(await readdir(world.folder)).toEqual([below]);
    });
  });

  test("without a folder fails with usage, before anything is asked", async () => {
    await withPlaces({}, async (world) => {
      const reference = parseReference(`${world.registry.host}/a/b:1`);
      const exporting = exportImage(world.context, { reference, ...plain });
      await expect(exporting).rejects.toMatchObject({ code: "usage", exitStatus: 2 });
      expect(world.registry.requests).toEqual([]);
    });
  });

  test("by digest gives a layout of one entry without a name", async () => {
    await withPlaces({}, async (world) => {
      const { backend, image } = makeSample();
      await world.seed(`${world.registry.host}/a/b:1`, backend, image);
      const { digest } = image.descriptor;
      const reference = parseReference(`${world.registry.host}/a/b@${digest}`);
      const { path } = await exportImage(world.context, { reference, ...plain, layoutDir: "out" });
      expect(path).toBe(`out/${world.registry.host}/a/b/${digest.replace(":", "/")}`);
      const index = JSON.parse(await readFile(join(world.folder, path, "index.json"), "utf8"));
      expect(index.manifests).toHaveLength(1);
      expect(index.manifests[0].digest).toBe(digest);
      expect(index.manifests[0].annotations).toBeUndefined();
    });
  });

  test("--sparse keeps manifests and configs, and leaves every layer out", async () => {
    await withPlaces({}, async (world) => {
      const { backend, index, members } = makeSample();
      await world.seed(`${world.registry.host}/a/b:1`, backend, index);
      const reference = parseReference(`${world.registry.host}/a/b:1`);
      const report = await exportImage(world.context, { ...plain, reference, layoutDir: "out", sparse: true });
      expect(report).toMatchObject({ digest: index.descriptor.digest, sparse: true });
      const there = (digest: string) =>
        stat(join(world.folder, report.path, "blobs", digest.replace(":", "/"))).then(
          () => true,
          () => false,
        );
      for (const { descriptor, value } of members) {
        if (!("layers" in value)) throw new Error("the member is an image");
        expect(await Promise.all([descriptor, value.config].map(({ digest }) => there(digest)))).toEqual([true, true]);
        expect(await Promise.all(value.layers.map(({ digest }) => there(digest)))).toEqual([false, false]);
      }
    });
  });

  test("--platform exports that image under the same path", async () => {
    await withPlaces({}, async (world) => {
      const { backend, index, members } = makeSample();
      await world.seed(`${world.registry.host}/a/b:1`, backend, index);
      const reference = parseReference(`${world.registry.host}/a/b:1`);
      const platform = [parsePlatform("linux/arm64")];
      const { digest, path } = await exportImage(world.context, { ...plain, reference, layoutDir: "out", platform });
      expect(digest as string).toBe(members[1]?.descriptor.digest ?? "");
      expect(path).toBe(`out/${world.registry.host}/a/b/1`);
    });
  });
});
