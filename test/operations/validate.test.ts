import { describe, expect, test } from "bun:test";
import { validate } from "../../src/operations/validate.ts";
import { fixedContext } from "../support/fixed-context.ts";
import { withFolder } from "../support/folder.ts";
import { invalidInput } from "../support/invalid-input.ts";
import { manifestWith, minimalManifest } from "../support/manifest-text.ts";

const name = ".library.manifest.yaml";

test("validate() reports names, platforms and the digest of the file", async () => {
  await withFolder({ [name]: minimalManifest, Dockerfile: "FROM scratch\n" }, async (cwd) => {
    const { digest, ...report } = await validate(fixedContext({ cwd }), {});
    expect(digest).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(report).toEqual({
      status: "ok",
      file: name,
      title: "Viewer",
      version: "1.10",
      references: ["registry.example.org/astro/viewer:1.10", "registry.example.org/astro/viewer:latest"],
      platforms: ["linux/amd64"],
      warnings: [],
    });
  });
});

describe("validate() warns of", () => {
  const inDiscovery = (line: string) => manifestWith("  discovery:\n", `  discovery:\n    ${line}\n`);
  test.each([
    ["a deprecated licence", manifestWith("Apache-2.0", "AGPL-3.0"), "metadata.discovery.licenses", 19],
    ["a tag twice", manifestWith("- latest", '- "1.10"'), "build.tags", 8],
    ["a moment in the future", inDiscovery("created: 9999-01-01T00:00:00Z"), "metadata.discovery.created", 12],
    [
      "a last day that has passed",
      manifestWith("metadata:\n", "metadata:\n  lifecycle: {eol: 2026-01-29}\n"),
      "metadata.lifecycle.eol",
      11,
    ],
  ])("%s", async (_, text, path, line) => {
    await withFolder({ [name]: text, Dockerfile: "" }, async (cwd) => {
      const { status, warnings } = await validate(fixedContext({ cwd }), {});
      expect(status).toBe("ok");
      expect(warnings).toMatchObject([{ file: name, line, path }]);
    });
  });
});

describe("validate() refuses", () => {
  const inputs = manifestWith("config: {}", "config: {source: none.yaml}");
  test.each<[string, Readonly<Record<string, string>>, string[]]>([
    ["a missing Dockerfile", { [name]: minimalManifest }, ["build.file"]],
    [
      "a missing context",
      { [name]: manifestWith("build:\n", "build:\n  context: none\n") },
      ["build.context", "build.file"],
    ],
    [
      "a context that is a file",
      { [name]: manifestWith("build:\n", "build:\n  context: a\n  file: /dev/null\n"), a: "" },
      ["build.context", "build.file"],
    ],
    [
      "a missing Dockerfile together with a problem of the text",
      { [name]: manifestWith("kind: [headless]", "kind: []") },
      ["build.file", "metadata.discovery.kind"],
    ],
    [
      "a problem of the text alone where the files cannot be told",
      { [name]: manifestWith("build:\n", "build:\n  file: []\n") },
      ["build.file"],
    ],
    ["a missing input", { [name]: inputs, Dockerfile: "" }, ["config.tools[0].inputs.config.source"]],
    ["all of them", { [name]: inputs }, ["build.file", "config.tools[0].inputs.config.source"]],
    [
      "a Dockerfile that a tool reads, once",
      { [name]: manifestWith("config: {}", "config: {}\n        dockerfile: {}") },
      ["build.file"],
    ],
  ])("%s", async (_, files, paths) => {
    await withFolder(files, async (cwd) => {
      const error = await invalidInput(() => validate(fixedContext({ cwd }), {}));
      expect(error.code).toBe("invalid-manifest-file");
      expect(error.problems.map(({ path }) => path)).toEqual(paths);
      expect(error.problems.every(({ file, line }) => file === name && line !== undefined)).toBe(true);
    });
  });
});

test("validate() takes a folder that holds a manifest", async () => {
  await withFolder({ [`sub/${name}`]: minimalManifest, "sub/Dockerfile": "" }, async (cwd) => {
    expect((await validate(fixedContext({ cwd }), { manifest: "sub" })).file).toBe(`sub/${name}`);
    const error = await invalidInput(() => validate(fixedContext({ cwd }), { manifest: "." }));
    expect(error.problems[0]?.file).toBe(name);
  });
});

test("validate() takes the manifest that is named", async () => {
  await withFolder({ "sub/m.yaml": minimalManifest, "sub/Dockerfile": "" }, async (cwd) => {
    expect((await validate(fixedContext({ cwd }), { manifest: "sub/m.yaml" })).file).toBe("sub/m.yaml");
  });
});
