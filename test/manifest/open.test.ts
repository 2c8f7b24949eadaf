import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { inputProblems, toolInputs } from "../../src/manifest/inputs.ts";
import { openManifest } from "../../src/manifest/open.ts";
import { withFolder } from "../support/folder.ts";
import { invalidInput } from "../support/invalid-input.ts";
import { manifestWith, minimalManifest } from "../support/manifest-text.ts";

const name = ".library.manifest.yaml";

test("openManifest() takes .library.manifest.yaml of the working directory", async () => {
  await withFolder({ [name]: minimalManifest }, async (cwd) => {
    const opened = await openManifest(undefined, cwd);
    expect(opened).toMatchObject({
      file: name,
      manifestPath: `${cwd}/${name}`,
      directory: cwd,
      contextPath: cwd,
      dockerfilePath: `${cwd}/Dockerfile`,
      digest: `sha256:${createHash("sha256").update(minimalManifest).digest("hex")}`,
    });
  });
});

describe("openManifest() resolves against the manifest's folder", () => {
  test.each([
    ["the context", "build:\n  context: ..\n", "", "/Dockerfile"],
    [
      "the file joined to the context",
      "build:\n  context: app\n  file: docker/Dockerfile\n",
      "/sub/app",
      "/sub/app/docker/Dockerfile",
    ],
    ["no absolute file", "build:\n  context: app\n  file: /etc/Dockerfile\n", "/sub/app", undefined],
  ])("%s", async (_, build, context, dockerfile) => {
    await withFolder({ "sub/m.yaml": manifestWith("build:\n", build) }, async (cwd) => {
      const opened = await openManifest("sub/m.yaml", cwd);
      expect(opened.contextPath).toBe(`${cwd}${context}`);
      expect(opened.dockerfilePath).toBe(dockerfile === undefined ? "/etc/Dockerfile" : `${cwd}${dockerfile}`);
    });
  });
});

describe("openManifest() refuses", () => {
  test.each<[string, Readonly<Record<string, string | Uint8Array>>, string, string?]>([
    ["a missing file", {}, "m.yaml"],
    ["a folder without a manifest", { "sub/x": "" }, "sub", "sub/.library.manifest.yaml"],
    [
      "a folder that holds a folder of that name",
      { "sub/.library.manifest.yaml/x": "" },
      "sub",
      "sub/.library.manifest.yaml",
    ],
    ["a path below a file", { m: "" }, "m/m.yaml"],
    ["50 MB", { "m.yaml": new Uint8Array(50_000_000) }, "m.yaml"],
    ["an empty file", { "m.yaml": "" }, "m.yaml"],
    ["a list", { "m.yaml": "- a\n" }, "m.yaml"],
    ["one value", { "m.yaml": "a\n" }, "m.yaml"],
  ])("%s", async (_, files, path, file = path) => {
    await withFolder(files, async (cwd) => {
      const error = await invalidInput(() => openManifest(path, cwd));
      expect(error.code).toBe("invalid-manifest-file");
      expect(error.problems[0]?.file).toBe(file);
    });
  });
});

describe("toolInputs()", () => {
  const text = manifestWith(
    "config: {}",
    "config: {source: conf/trivy.yaml}\n        dockerfile: {destination: /Dockerfile}\n        own: {}",
  );
  test("resolves sources from the manifest's folder, the Dockerfile, and what the program brings", async () => {
    await withFolder({ "sub/m.yaml": text, "sub/conf/trivy.yaml": "", "sub/Dockerfile": "" }, async (cwd) => {
      const opened = await openManifest("sub/m.yaml", cwd);
      const [tool] = opened.value.config.tools;
      if (!tool) throw new Error("no tool");
      expect(await toolInputs(opened, tool)).toEqual([
        { name: "config", destination: "/config.yaml", file: `${cwd}/sub/conf/trivy.yaml` },
        { name: "dockerfile", destination: "/Dockerfile", file: `${cwd}/sub/Dockerfile` },
        { name: "own", destination: "/config.yaml", file: undefined },
      ]);
    });
  });
  test("names every input that is not there with its place", async () => {
    await withFolder({ "m.yaml": text }, async (cwd) => {
      const opened = await openManifest("m.yaml", cwd);
      const [tool] = opened.value.config.tools;
      if (!tool) throw new Error("no tool");
      const error = await invalidInput(() => toolInputs(opened, tool));
      expect(error.code).toBe("invalid-manifest-file");
      expect((await inputProblems(opened, tool)).map(({ line, column, path }) => [line, column, path])).toEqual([
        [30, 26, "config.tools[0].inputs.config.source"],
        [31, 9, "config.tools[0].inputs.dockerfile.source"],
      ]);
    });
  });
});
