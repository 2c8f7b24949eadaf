import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hostileGraph, layoutFiles, plainManifest, writeBelow } from "../support/hostile.ts";
import { manifestWith, minimalManifest } from "../support/manifest-text.ts";
import { runLibrary } from "../support/program.ts";

const timeoutMs = 60_000;

describe("adversarial values and files", () => {
  let dir = "";
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), "library-adversarial-"));
  });
  afterAll(() => rm(dir, { recursive: true, force: true }));

  test(
    "row 20: __proto__ and constructor are keys like others",
    async () => {
      const folder = await mkdtemp(join(dir, "keys-"));
      await writeFile(join(folder, "file"), "x");
      const own = ["__proto__=a", "constructor=b", "toString=c"];
      const flags = own.flatMap((pair) => ["--label", pair, "--annotation", pair]);
      const { status } = await runLibrary(["append", "--layer", ".:/srv", ...flags, "-o", "oci:out:1"], {
        cwd: folder,
      });
      expect(status).toBe(0);
      for (const flag of ["--raw", "--config"]) {
        const { stdout } = await runLibrary(["inspect", flag, "oci:out:1"], { cwd: folder });
        for (const pair of own) expect(stdout.toString()).toContain(`"${pair.replace("=", '":"')}"`);
      }
    },
    timeoutMs,
  );

  test(
    "row 34: a base whose config lists other layers than its manifest is refused",
    async () => {
      const folder = await mkdtemp(join(dir, "base-"));
      const layers = [...plainManifest().layers, ...plainManifest().layers];
      await writeBelow(join(folder, "in"), layoutFiles(hostileGraph({ ...plainManifest(), layers })));
      const argv = ["append", "--json", "--base", "oci:in:1", "--layer", ".:/srv", "-o", "oci:out:1"];
      const { status, stdout } = await runLibrary(argv, { cwd: folder });
      expect({ status, code: JSON.parse(stdout.toString()).errors[0]?.code }).toEqual({
        status: 3,
        code: "malformed-content",
      });
    },
    timeoutMs,
  );

  test.each(
    [
      ["an alias bomb", aliasBomb()],
      ["a tag of JavaScript", manifestWith("image: viewer", 'image: !!js/function "function(){}"')],
      ["a duplicate key", manifestWith("  image: viewer", "  image: viewer\n  image: viewer")],
      ["a tab for indentation", manifestWith("  image: viewer", "\timage: viewer")],
      ["two documents", `${minimalManifest}---\na: 1\n`],
      ["50 MB", `${minimalManifest}# ${"x".repeat(50_000_000)}\n`],
      ["yes for a list", manifestWith("kind: [headless]", "kind: yes")],
      ["a tag that begins with a dash", manifestWith("- latest # moving", '- "-x"')],
    ].map(([name = "", text = ""]) => ({ name, text })),
  )(
    "rows 47 and 49: a manifest file with $name is refused with invalid-manifest-file",
    async ({ text }) => {
      const folder = await mkdtemp(join(dir, "yaml-"));
      await writeBelow(folder, {
        ".library.manifest.yaml": text,
        Dockerfile: "FROM scratch\n",
      });
      const { status, stdout } = await runLibrary(["validate", "--json"], { cwd: folder });
      const { errors } = JSON.parse(stdout.toString());
      expect({ status, code: errors[0]?.code }).toEqual({ status: 2, code: "invalid-manifest-file" });
    },
    timeoutMs,
  );
});

function aliasBomb(): string {
  const levels = Array.from(
    { length: 12 },
    (_, at) => `a${at + 1}: &a${at + 1} [${Array(10).fill(`*a${at}`).join(", ")}]`,
  );
  return `a0: &a0 [x]\n${levels.join("\n")}\n`;
}
