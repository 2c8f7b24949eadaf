import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildkitObstacle, type RunningBuildkit, startBuildkit } from "../support/buildkit.ts";
import { debianRoot } from "../support/debian.ts";
import { digestText } from "../support/fingerprints.ts";
import { manifestWith } from "../support/manifest-text.ts";
import { describeWithPeers, peer } from "../support/peers.ts";
import { libraryOutput, outputOf } from "../support/program.ts";
import { type RunningRegistry, startRegistry } from "../support/registries.ts";

const peers = ["buildx", "buildkitd", "runc", "registry", "skopeo", "umoci", "mmdebstrap"] as const;
const title = "an image FROM a root file system of Debian";
const timeoutMs = 300_000;

const mmdebstrap = peer("mmdebstrap");
const base = buildkitObstacle() === undefined && mmdebstrap !== undefined ? await debianRoot(mmdebstrap) : undefined;
const obstacle = buildkitObstacle() ?? (base?.kind === "missing" ? base.reason : undefined);

if (obstacle !== undefined) {
  if (process.env.CI === "true") test(title, () => expect(obstacle).toBeUndefined());
  else console.error(`skip: ${title}: ${obstacle}`);
} else {
  describeWithPeers(peers, title, ({ buildx, buildkitd, runc, skopeo, umoci }) => {
    let folder = "";
    let registry: RunningRegistry;
    let builder: RunningBuildkit;

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), "ld-"));
      for (const name of ["registry", "home", "project"]) await mkdir(join(folder, name));
      registry = await startRegistry("distribution3", { dir: join(folder, "registry") });
      builder = await startBuildkit({ dir: join(folder, "bk"), buildkitd, buildx, runc, registries: [registry.host] });
    }, timeoutMs);
    afterAll(async () => {
      await builder?.stop();
      await registry?.stop();
      await rm(folder, { recursive: true, force: true });
    }, timeoutMs);

    test(
      "is appended, built, published, read by skopeo and unpacked by umoci",
      async () => {
        const env = builder.env;
        const home = { HOME: join(folder, "home") };
        const project = join(folder, "project");
        const debian = `${registry.host}/debian:bookworm`;
        const tar = base?.kind === "there" ? base.tar : "";
        const path = ["--env", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"];
        await libraryOutput(["append", "--base", "scratch", "--layer", tar, ...path, "-o", debian], {
          env,
          timeoutMs,
        });

        const manifest = manifestWith("host: registry.example.org", `host: ${registry.host}`).replace(
          "build:\n",
          "build:\n  output: type=oci\n",
        );
        await writeFile(join(project, ".library.manifest.yaml"), manifest);
        await writeFile(join(project, "greeting"), "hello from the context\n");
        await writeFile(
          join(project, "Dockerfile"),
          `FROM ${debian}\nRUN dpkg-query --show base-files >/packages && . /etc/os-release && echo "$VERSION_CODENAME" >/codename\nCOPY greeting /srv/greeting\n`,
        );
        await libraryOutput(["build"], { cwd: project, env, timeoutMs });
        const { result } = JSON.parse(
          (await libraryOutput(["push", "image", "--json"], { cwd: project, env, timeoutMs })).toString(),
        );

        const name = `docker://${registry.host}/astro/viewer:1.10`;
        const raw = await outputOf(skopeo, ["inspect", "--raw", "--tls-verify=false", name], { env: home });
        expect(digestText(raw)).toBe(result.digest);

        const layout = `${join(folder, "layout")}:1`;
        const copy = ["--insecure-policy", "copy", "--quiet", "--src-tls-verify=false", name, `oci:${layout}`];
        await outputOf(skopeo, copy, { env: home });
        const bundle = join(folder, "bundle");
        await outputOf(umoci, ["unpack", "--image", layout, bundle], { env: home, timeoutMs });
        const read = (file: string) => readFile(join(bundle, "rootfs", file), "utf8");
        expect(await read("codename")).toBe("bookworm\n");
        expect(await read("packages")).toStartWith("base-files\t12");
        expect(await read("srv/greeting")).toBe("hello from the context\n");
        expect(await read("etc/debian_version")).toStartWith("12.");
      },
      timeoutMs,
    );
  });
}
