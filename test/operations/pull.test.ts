import { describe, expect, test } from "bun:test";
import { readdir } from "node:fs/promises";
import { parsePlatform } from "../../src/oci/platform.ts";
import { parseReference } from "../../src/oci/reference.ts";
import { pull } from "../../src/operations/pull.ts";
import { makeSample } from "../contract/sample.ts";
import { withPlaces } from "../support/image-places.ts";

const all = { platform: [], referrers: "all" } as const;

describe("pull()", () => {
  test.each([
    ["HOST/team/viewer:1.2", "viewer", "1.2"],
    ["HOST/viewer", "viewer", "latest"],
    ["oci:dist:1", "dist-copy", "1"],
    ["oci:some/dist/:1", "dist-copy", "1"],
    ["oci-archive:some/app.tar:1", "app", "1"],
    ["oci-archive:app.tar.gz:1", "app", "1"],
    ["oci-archive:app.tar.zst:1", "app", "1"],
  ])("puts %s into the folder %s under the tag %s", async (written, folder, tag) => {
    await withPlaces({ files: { "some/file": "" } }, async (world) => {
      const { backend, index } = makeSample();
      const reference = parseReference(written.replace("HOST", world.registry.host));
      await world.seed(
        written.replace("HOST", world.registry.host).replace(/viewer$/, "viewer:latest"),
        backend,
        index,
      );
      const report = await pull(world.context, { reference, ...all });
      expect(report).toMatchObject({ status: "ok", destination: `oci:${folder}`, images: [{ tags: [tag] }] });
      expect((await world.resolved(`oci:${folder}:${tag}`)).descriptor.digest).toBe(index.descriptor.digest);
      expect(await readdir(world.folder)).toContain(folder);
    });
  });

  test("takes the folder of --output, the platform and no referrers", async () => {
    await withPlaces({}, async (world) => {
      const { backend, index, members } = makeSample();
      await world.seed(`${world.registry.host}/a/b:1`, backend, index);
      const reference = parseReference(`${world.registry.host}/a/b:1`);
      const platform = [parsePlatform("linux/amd64")];
      await pull(world.context, { reference, output: "a:b/c", platform, referrers: "none" });
      expect(await readdir(`${world.folder}/a:b`)).toEqual(["c"]);
      const [first] = members;
      const there = await world.digests(`oci:a:b/c:1`);
      expect(there).toContain(first?.descriptor.digest ?? "");
      expect(there.length).toBe(4);
    });
  });

  test.each(["oci:folder", "ocidir://folder", "oci-layout://folder"])(
    "takes --output %s as the folder",
    async (output) => {
      await withPlaces({}, async (world) => {
        const { backend, index } = makeSample();
        await world.seed(`${world.registry.host}/a/b:1`, backend, index);
        const reference = parseReference(`${world.registry.host}/a/b:1`);
        expect(await pull(world.context, { reference, output, ...all })).toMatchObject({ destination: "oci:folder" });
        expect(await readdir(world.folder)).toEqual(["folder"]);
      });
    },
  );

  test.each(["oci-archive:a.tar", "docker://r.example.org/a"])(
    "refuses --output %s, and names copy",
    async (output) => {
      await withPlaces({}, async (world) => {
        const reference = parseReference(`${world.registry.host}/a/b:1`);
        const hint = expect.stringContaining(`library copy ${world.registry.host}/a/b:1 ${output}`);
        await expect(pull(world.context, { reference, output, ...all })).rejects.toMatchObject({ code: "usage", hint });
        expect(await readdir(world.folder)).toEqual([]);
      });
    },
  );

  test("by digest puts it there without a tag", async () => {
    await withPlaces({}, async (world) => {
      const { backend, index } = makeSample();
      await world.seed(`${world.registry.host}/a/b:1`, backend, index);
      const reference = parseReference(`${world.registry.host}/a/b@${index.descriptor.digest}`);
      expect((await pull(world.context, { reference, ...all })).images[0]?.tags).toEqual([]);
      expect((await world.resolved("oci:b")).descriptor.digest).toBe(index.descriptor.digest);
    });
  });

  test("of what is not there fails with not-found and makes no folder", async () => {
    await withPlaces({}, async (world) => {
      const reference = parseReference(`${world.registry.host}/a/b:1`);
      await expect(pull(world.context, { reference, ...all })).rejects.toMatchObject({
        code: "not-found",
        exitStatus: 3,
      });
      expect(await readdir(world.folder)).toEqual([]);
    });
  });
});
