import { describe, expect, test } from "bun:test";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseMetadata } from "../../src/build/metadata.ts";
import { type BuildReport, readBuildReport, writeBuildReport } from "../../src/build/report.ts";
import { workspaceOf } from "../../src/build/workspace.ts";
import { digestOf } from "../../src/oci/make.ts";
import { random } from "../../src/runtime/random.ts";
import { withFolder } from "../support/folder.ts";
import { thrownBy } from "../support/thrown.ts";

const report: BuildReport = {
  schemaVersion: 1,
  status: "running",
  builder: "append",
  manifestDigest: digestOf("manifest"),
  layout: ".library/layout",
  tags: [{ name: "1.0", reference: "example.org/a/b:1.0" }],
  startedAt: "2026-01-31T12:00:00.000Z",
  stages: [],
  warnings: [],
};

describe("build reports", () => {
  test("writeBuildReport() replaces the one before, and leaves nothing else", async () => {
    await withFolder({}, async (folder) => {
      const path = join(folder, ".library/build.json");
      await writeBuildReport(path, report, random);
      const done: BuildReport = { ...report, status: "ok", digest: digestOf("root"), duration: 5 };
      await writeBuildReport(path, done, random);
      expect(await readBuildReport(path)).toEqual(done);
      expect((await readdir(join(folder, ".library"))).sort()).toEqual([".gitignore", "build.json"]);
      expect(await readFile(path, "utf8")).toEndWith("}\n");
    });
  });

  test("writeBuildReport() has a new folder ignored by git, and leaves a folder that was there alone", async () => {
    await withFolder({ "old/x": "" }, async (folder) => {
      await writeBuildReport(join(folder, "new/build.json"), report, random);
      await writeBuildReport(join(folder, "old/build.json"), report, random);
      expect(await readFile(join(folder, "new/.gitignore"), "utf8")).toBe("*\n");
      expect((await readdir(join(folder, "old"))).sort()).toEqual(["build.json", "x"]);
    });
  });

  test("writeBuildReport() fails with io-error where it cannot write", async () => {
    await withFolder({ ".library": "a file" }, async (folder) => {
      await expect(writeBuildReport(join(folder, ".library/build.json"), report, random)).rejects.toMatchObject({
        code: "io-error",
      });
    });
  });

  test("readBuildReport() finds none where there is none", async () => {
    await withFolder({}, async (folder) => {
      expect(await readBuildReport(join(folder, "build.json"))).toBeUndefined();
    });
  });

  test.each<[string, string, string]>([
    ["no JSON", "{", "malformed-json"],
    ["another version", JSON.stringify({ ...report, schemaVersion: 2 }), "build-missing"],
    ["a digest that is none", JSON.stringify({ ...report, digest: "sha256:1" }), "build-missing"],
    ["another status", JSON.stringify({ ...report, status: "maybe" }), "build-missing"],
  ])("readBuildReport() refuses %s", async (_, text, code) => {
    await withFolder({}, async (folder) => {
      await mkdir(join(folder, "w"));
      await writeFile(join(folder, "w/build.json"), text);
      await expect(readBuildReport(join(folder, "w/build.json"))).rejects.toMatchObject({ code });
    });
  });
});

test("workspaceOf() lies beside the manifest; another layout counts from the current folder", () => {
  expect(workspaceOf("/m", undefined, "/c")).toEqual({
    folder: "/m/.library",
    layout: "/m/.library/layout",
    report: "/m/.library/build.json",
  });
  expect(workspaceOf("/m", "out", "/c").layout).toBe("/c/out");
});

describe("parseMetadata()", () => {
  test("gives the digest", () => {
    const digest = digestOf("x");
    const value = {
      "containerimage.digest": digest,
      "image.name": "a",
      "buildx.build.ref": "local/local0/abc",
      other: {},
    };
    expect(parseMetadata(Buffer.from(JSON.stringify(value)))).toEqual({ digest, buildReference: "local/local0/abc" });
  });

  test.each(["{}", '{"containerimage.digest":"latest"}', "[]"])("refuses %s", (text) => {
    expect(thrownBy(() => parseMetadata(Buffer.from(text)))).toMatchObject({ code: "tool-failed" });
  });
});
