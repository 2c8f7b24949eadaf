import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Descriptor } from "../../src/oci/descriptor.ts";
import { digestOf } from "../../src/oci/make.ts";
import { seededBytes } from "../support/graph.ts";
import { testWithPeers } from "../support/peers.ts";
import { startTestRegistry, type TestRegistry } from "../support/registry.ts";
import { repositoryRequests } from "../support/registry-requests.ts";

let registry: TestRegistry;
let folder: string;
beforeAll(async () => {
  registry = await startTestRegistry();
  folder = await mkdtemp(join(tmpdir(), "library-interop-"));
  await writeFile(join(folder, "file.bin"), seededBytes(3_000_000, 1));
});
afterAll(async () => {
  await registry.stop();
  await rm(folder, { recursive: true, force: true });
});

/** Standard output of a program that must succeed; its configuration lies in the test's folder. */
async function run(...argv: readonly string[]): Promise<string> {
  const env = { ...process.env, HOME: folder, DOCKER_CONFIG: folder, REGCTL_CONFIG: join(folder, "regctl.json") };
  const child = Bun.spawn([...argv], { cwd: folder, env, stdout: "pipe", stderr: "pipe" });
  const [output, errors, status] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  if (status !== 0) throw new Error(`${argv.join(" ")} ended with ${status}: ${errors}`);
  return output.trim();
}

const requests = (name: string) => repositoryRequests(registry.url, name);
const timeoutMs = 60_000;

testWithPeers(
  ["skopeo", "umoci"],
  "what is pushed is read as a layout by skopeo and umoci",
  async ({ skopeo, umoci }) => {
    const images = [
      await requests("team/app").pushImage(1),
      await requests("team/app").pushImage(2, { tag: "single" }),
    ];
    const index = await requests("team/app").pushIndex(images, { tag: "multi" });
    const layout = join(registry.root, "team/app");
    const raw = await run(skopeo, "inspect", "--raw", `oci:${layout}:multi`);
    expect(digestOf(raw)).toBe(index.descriptor.digest);
    await run(
      skopeo,
      "copy",
      "--all",
      "--preserve-digests",
      `oci:${layout}:multi`,
      `oci:${join(folder, "copied")}:multi`,
    );
    const copied = JSON.parse(await readFile(join(folder, "copied/index.json"), "utf8")) as { manifests: Descriptor[] };
    expect(copied.manifests[0]?.digest).toBe(index.descriptor.digest);
    expect((await run(umoci, "ls", "--layout", layout)).split("\n").sort()).toEqual(["multi", "single"]);
  },
  timeoutMs,
);

testWithPeers(
  ["skopeo"],
  "skopeo pushes and pulls",
  async ({ skopeo }) => {
    const image = await requests("skopeo/source").pushImage(3, { tag: "t" });
    const [from, to] = [`docker://${registry.host}/skopeo/source:t`, `docker://${registry.host}/skopeo/target:t`];
    await run(skopeo, "copy", "--preserve-digests", "--src-tls-verify=false", "--dest-tls-verify=false", from, to);
    const digest = await run(skopeo, "inspect", "--tls-verify=false", "--format", "{{.Digest}}", to);
    expect(digest).toBe(image.descriptor.digest);
  },
  timeoutMs,
);

testWithPeers(
  ["crane"],
  "crane pushes, mounts, validates, lists and deletes",
  async ({ crane }) => {
    await run("tar", "-cf", "layer.tar", "file.bin");
    const [first, second] = [`${registry.host}/crane/one:v1`, `${registry.host}/crane/two:v2`];
    await run(crane, "append", "--insecure", "-f", "layer.tar", "-t", first);
    const mounts = () => registry.requests.filter(({ path }) => path.includes("mount=")).length;
    const before = mounts();
    await run(crane, "copy", "--insecure", first, second);
    expect(mounts()).toBeGreaterThan(before);
    await run(crane, "validate", "--insecure", "--remote", second);
    expect(await run(crane, "ls", "--insecure", `${registry.host}/crane/two`)).toBe("v2");
    expect((await run(crane, "catalog", "--insecure", registry.host)).split("\n")).toContain("crane/two");
    const digest = await run(crane, "digest", "--insecure", second);
    expect(await run(crane, "digest", "--insecure", first)).toBe(digest);
    await run(crane, "delete", "--insecure", `${registry.host}/crane/two@${digest}`);
    expect((await requests("crane/two").send("GET", "manifests/v2")).status).toBe(404);
  },
  timeoutMs,
);

testWithPeers(
  ["oras"],
  "oras pushes, attaches through the referrers API, discovers and pulls",
  async ({ oras }) => {
    const name = `${registry.host}/oras/app:1.0`;
    await run(oras, "push", "--plain-http", name, "file.bin");
    await writeFile(join(folder, "sbom.json"), "{}");
    await run(oras, "attach", "--plain-http", "--artifact-type", "application/x.sbom", name, "sbom.json");
    const found = JSON.parse(await run(oras, "discover", "--plain-http", "--format", "json", name)) as {
      referrers: { artifactType: string }[];
    };
    expect(found.referrers.map(({ artifactType }) => artifactType)).toEqual(["application/x.sbom"]);
    expect(await run(oras, "repo", "tags", "--plain-http", `${registry.host}/oras/app`)).toBe("1.0");
    await run(oras, "pull", "--plain-http", "-o", "pulled", name);
    expect(digestOf(await readFile(join(folder, "pulled/file.bin")))).toBe(digestOf(seededBytes(3_000_000, 1)));
    await run(oras, "pull", "--oci-layout", "-o", "laid", `${join(registry.root, "oras/app")}:1.0`);
    expect(digestOf(await readFile(join(folder, "laid/file.bin")))).toBe(digestOf(seededBytes(3_000_000, 1)));
  },
  timeoutMs,
);

testWithPeers(
  ["regctl"],
  "regctl copies with referrers, in chunks, and deletes a tag alone",
  async ({ regctl }) => {
    await run(
      regctl,
      "registry",
      "set",
      "--tls",
      "disabled",
      "--blob-chunk",
      "100000",
      "--blob-max",
      "200000",
      registry.host,
    );
    const { mediaType, digest, size } = (await requests("regctl/source").pushImage(4, { tag: "t" })).descriptor;
    await requests("regctl/source").pushImage(5, {
      subject: { mediaType, digest, size },
      artifactType: "application/x.a",
    });
    const [source, target] = [`${registry.host}/regctl/source:t`, `${registry.host}/regctl/target:t`];
    await run(regctl, "image", "copy", "--referrers", source, target);
    expect(await run(regctl, "image", "digest", target)).toBe(digest);
    const list = await (await requests("regctl/target").send("GET", `referrers/${digest}`)).json();
    expect((list as { manifests: unknown[] }).manifests.length).toBe(1);
    await run(
      regctl,
      "artifact",
      "put",
      "-f",
      "file.bin",
      "--artifact-type",
      "application/x.b",
      `${registry.host}/regctl/chunks:t`,
    );
    expect(registry.requests.filter(({ method }) => method === "PATCH").length).toBeGreaterThan(10);
    await run(regctl, "tag", "delete", target);
    expect((await requests("regctl/target").send("GET", "manifests/t")).status).toBe(404);
    expect((await requests("regctl/target").send("GET", `manifests/${digest}`)).status).toBe(200);
  },
  timeoutMs,
);

test("the registry had no failure of its own", () => {
  expect(registry.events).toEqual([]);
});
