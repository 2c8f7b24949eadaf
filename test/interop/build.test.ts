import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type BuildReport, readBuildReport } from "../../src/build/report.ts";
import { buildkitObstacle, type RunningBuildkit, startBuildkit } from "../support/buildkit.ts";
import { manifestWith } from "../support/manifest-text.ts";
import { describeWithPeers } from "../support/peers.ts";
import { type Ended, outputOf, runProgram } from "../support/program.ts";
import { type RunningRegistry, startRegistry } from "../support/registries.ts";

setDefaultTimeout(120_000);

const main = join(import.meta.dir, "..", "..", "src", "main.ts");
const peers = ["buildx", "buildkitd", "runc", "registry", "crane", "skopeo"] as const;

const obstacle = buildkitObstacle();
if (obstacle !== undefined) {
  if (process.env.CI === "true") test("a real build", () => expect(obstacle).toBeUndefined());
  else console.error(`skip: a real build: ${obstacle}`);
} else {
  describeWithPeers(peers, "a real build with buildx and buildkitd", ({ buildx, buildkitd, runc, crane, skopeo }) => {
    let folder = "";
    let registry: RunningRegistry;
    let builder: RunningBuildkit;

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), "lb-"));
      await mkdir(join(folder, "registry"));
      registry = await startRegistry("distribution3", { dir: join(folder, "registry") });
      builder = await startBuildkit({ dir: join(folder, "bk"), buildkitd, buildx, runc, registries: [registry.host] });
    });
    afterAll(async () => {
      await builder?.stop();
      await registry?.stop();
      await rm(folder, { recursive: true, force: true });
    });

    function library(argv: readonly string[], cwd: string, env: Readonly<Record<string, string>> = {}): Promise<Ended> {
      return runProgram(process.execPath, [main, ...argv], { cwd, env: { ...builder.env, ...env } });
    }

    async function succeed(
      argv: readonly string[],
      cwd: string,
      env?: Readonly<Record<string, string>>,
    ): Promise<string> {
      const { status, stdout, stderr } = await library(argv, cwd, env);
      if (status !== 0) throw new Error(`library ${argv.join(" ")} ended with ${status}: ${stderr}`);
      return stdout.toString();
    }

    /** A project whose image goes to the registry as `team/NAME`. */
    async function project(name: string, dockerfile: string, build = "output: type=oci"): Promise<string> {
      const path = join(folder, name);
      await mkdir(path);
      const manifest = manifestWith("host: registry.example.org", `host: ${registry.host}`)
        .replace("project: astro", "project: team")
        .replace("image: viewer", `image: ${name}`)
        .replace("build:\n", `build:\n  ${build}\n`);
      await writeFile(join(path, ".library.manifest.yaml"), manifest);
      await writeFile(join(path, "Dockerfile"), dockerfile);
      await writeFile(join(path, "hello"), `hello from ${name}\n`);
      return path;
    }

    async function reported(path: string): Promise<BuildReport> {
      const report = await readBuildReport(join(path, ".library/build.json"));
      if (report === undefined) throw new Error("there is no report");
      return report;
    }

    const twoStages =
      "FROM scratch AS first\nCOPY hello /hello\nFROM scratch\nLABEL mine=yes\nCOPY --from=first /hello /etc/hello\n";

    test("of two stages for two platforms is published whole, with labels, annotations and provenance", async () => {
      const path = await project("stages", twoStages, "platforms: [linux/amd64, linux/arm64]");
      await succeed(["build"], path, { SOURCE_DATE_EPOCH: "86400" });
      const { status, digest, stages } = await reported(path);
      expect(status).toBe("ok");
      expect(stages.some(({ name }) => name.includes("COPY --from=first /hello /etc/hello"))).toBe(true);
      const pushed = JSON.parse(await succeed(["push", "image", "--json"], path));
      expect(pushed.status).toBe("ok");
      for (const tag of ["1.10", "latest"]) {
        const name = `${registry.host}/team/stages:${tag}`;
        const bytes = await outputOf(crane, ["manifest", name]);
        expect(`sha256:${new Bun.CryptoHasher("sha256").update(bytes).digest("hex")}`).toBe(digest ?? "");
      }
      const name = `${registry.host}/team/stages:latest`;
      const index = JSON.parse((await outputOf(crane, ["manifest", name])).toString());
      expect(
        index.manifests.map((member: { platform: { architecture: string } }) => member.platform.architecture),
      ).toEqual(["amd64", "arm64", "unknown", "unknown"]);
      expect(index.annotations["org.opencontainers.image.title"]).toBe("Viewer");
      expect(index.annotations["org.opencontainers.image.created"]).toBe("1970-01-02T00:00:00Z");
      const image = JSON.parse((await outputOf(crane, ["manifest", "--platform", "linux/arm64", name])).toString());
      expect(image.annotations).toEqual(index.annotations);
      const config = JSON.parse((await outputOf(crane, ["config", "--platform", "linux/arm64", name])).toString());
      expect(config.config.Labels).toEqual({ ...index.annotations, mine: "yes" });
      await mkdir(join(path, "copied"));
      await outputOf(skopeo, [
        "copy",
        "--all",
        "--src-tls-verify=false",
        `docker://${name}`,
        `dir:${join(path, "copied")}`,
      ]);
      const attestation = index.manifests[2];
      const provenance = JSON.parse(
        (await outputOf(crane, ["manifest", `${registry.host}/team/stages@${attestation.digest}`])).toString(),
      );
      expect(provenance.subject.digest).toBe(index.manifests[0].digest);
    });

    test("on a base that append made of this machine's shell runs a command, and append goes on from it", async () => {
      const path = await project(
        "shell",
        `FROM ${registry.host}/team/base:1\nCOPY hello /hello\nRUN echo built >/built\n`,
      );
      await copyShell(join(path, "root"));
      const base = ["--layer", "root", "--env", "PATH=/bin", "-o", `${registry.host}/team/base:1`];
      await succeed(["append", ...base], path);
      await succeed(["build"], path);
      await succeed(["push", "image"], path);
      const name = `${registry.host}/team/shell:latest`;
      const unpacked = async (tag: string, file: string): Promise<string> => {
        const tar = await outputOf(crane, ["export", tag, "-"]);
        return execFileSync("tar", ["-xOf", "-", file], { input: tar, maxBuffer: 1e8 }).toString();
      };
      expect(await unpacked(name, "built")).toBe("built\n");
      await mkdir(join(path, "hello.d"));
      await cp(join(path, "hello"), join(path, "hello.d/hello"));
      await succeed(["append", "--base", name, "--layer", "hello.d:/more", "-o", `${registry.host}/team/more:1`], path);
      expect(await unpacked(`${registry.host}/team/more:1`, "more/hello")).toBe("hello from shell\n");
      expect(await unpacked(`${registry.host}/team/more:1`, "built")).toBe("built\n");
    });

    test("whose Dockerfile fails is exit 3, with the step's last lines in the report, and cannot be pushed", async () => {
      const path = await project("broken", "FROM scratch\nCOPY nothing /nothing\n");
      const { status, stderr } = await library(["build"], path);
      expect([status, stderr]).toEqual([3, expect.stringContaining("COPY nothing /nothing")]);
      const report = await reported(path);
      expect(report).toMatchObject({ status: "failed", failure: { code: "tool-failed", exitStatus: 1 } });
      expect(report.failure?.tail.join("\n")).toContain('"/nothing": not found');
      expect((await library(["push", "image"], path)).status).toBe(2);
    });

    test("makes the second output that the manifest asks for from the same cache", async () => {
      const path = await project("local", twoStages, 'output: "type=local,dest=out"');
      await succeed(["build"], path);
      expect(await readFile(join(path, "out/etc/hello"), "utf8")).toBe("hello from local\n");
      expect((await reported(path)).status).toBe("ok");
    });

    test("takes arguments behind --, and refuses those that the manifest owns", async () => {
      const path = await project("arguments", "FROM scratch\nARG FILE=nothing\nCOPY $FILE /file\n");
      expect((await library(["build", "--", "--build-arg", "FILE=hello", "-t", "other"], path)).status).toBe(2);
      await succeed(["build", "--", "--build-arg", "FILE=hello", "--no-cache"], path);
      expect((await reported(path)).status).toBe("ok");
    });

    test("without provenance is a bare image that buildx accepts", async () => {
      const path = await project("bare", twoStages);
      await succeed(["build", "--", "--provenance=false"], path);
      expect((await reported(path)).mediaType).toBe("application/vnd.oci.image.manifest.v1+json");
    });
  });
}

/** A root file system of this machine's own shell and the libraries that it needs. */
async function copyShell(root: string): Promise<void> {
  const listed = execFileSync("ldd", ["/bin/sh"]).toString();
  const libraries = [...listed.matchAll(/(\/\S+) \(0x/g)].flatMap(([, path]) => (path === undefined ? [] : [path]));
  for (const path of ["/bin/sh", ...libraries]) {
    await mkdir(join(root, dirname(path)), { recursive: true });
    await cp(path, join(root, path), { dereference: true });
  }
}
