import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digestText } from "../support/fingerprints.ts";
import { type InterruptedRun, interruptedRun } from "../support/interrupted-run.ts";
import { manyBlobs } from "../support/many-blobs.ts";
import { describeWithPeers } from "../support/peers.ts";
import { libraryOutput, runProgram } from "../support/program.ts";
import { type RunningRegistry, startRegistry } from "../support/registries.ts";
import { writeSampleLayout } from "../support/samples.ts";

const sample = manyBlobs(2);
/** In the first manifest, among the blobs, and within the last blobs: of about 11 MB. */
const timeoutMs = 30_000;
const points = [600, 50_000, 3_000_000, 9_000_000, 11_000_000];

describeWithPeers(["registry", "skopeo"], "interrupted with SIGINT", (peers) => {
  let dir = "";
  let registry: RunningRegistry;

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), "library-interrupt-"));
    await Bun.write(join(dir, "registry/made"), "");
    registry = await startRegistry("distribution3", { dir: join(dir, "registry") });
    await writeSampleLayout(join(dir, "sample"), new Map([["v1", sample]]));
    await libraryOutput(["copy", `oci:${dir}/sample:v1`, `${registry.host}/source:v1`]);
  }, 60_000);
  afterAll(async () => {
    await registry?.stop();
    await rm(dir, { recursive: true, force: true });
  });

  async function interrupted(
    at: number,
    argv: (host: string) => readonly string[],
    goesOn = true,
  ): Promise<InterruptedRun> {
    const run = await interruptedRun({ registry: registry.host, argv, at, signal: "SIGINT", goesOn });
    expect(run).toMatchObject({ ended: 130, stderr: expect.stringContaining("Interrupted by SIGINT") });
    return run;
  }

  async function tagged(place: string): Promise<boolean> {
    return (await runProgram(peers.skopeo, ["inspect", "--raw", ...tlsFlags(place), place])).status === 0;
  }

  test.each(points)(
    "pull after %d bytes exits 130, without a tag or anything half",
    async (at) => {
      const folder = join(dir, `pull-${at}`);
      const argv = (host: string) => ["pull", `${host}/source:v1`, "-o", folder];
      await interrupted(at, argv);
      expect(await tagged(`oci:${folder}:v1`)).toBe(false);
      const left = await readdir(folder, { recursive: true }).catch(() => []);
      expect(left.filter((name) => !["blobs", "blobs/sha256", "index.json", "oci-layout"].includes(name))).toEqual([]);
      expect((await readdir(dir)).filter((name) => name.startsWith(`pull-${at}.`))).toEqual([]);
      await libraryOutput(argv(registry.host));
      expect(await tagged(`oci:${folder}:v1`)).toBe(true);
    },
    timeoutMs,
  );

  test.each(points)(
    "an archive after %d bytes exits 130 and leaves no file",
    async (at) => {
      const folder = join(dir, `archive-${at}`);
      await Bun.write(join(folder, "kept"), "");
      await interrupted(at, (host) => ["copy", `${host}/source:v1`, `oci-archive:${folder}/image.tar:v1`]);
      expect(await readdir(folder)).toEqual(["kept"]);
    },
    timeoutMs,
  );

  test.each(points)(
    "an archive after %d bytes leaves the one that was there",
    async (at) => {
      const file = join(dir, `before-${at}.tar`);
      await Bun.write(file, "what was there before");
      const before = digestText(await readFile(file));
      await interrupted(at, (host) => ["copy", "--force", `${host}/source:v1`, `oci-archive:${file}:v1`]);
      expect(digestText(await readFile(file))).toBe(before);
      expect((await readdir(dir)).filter((name) => name.startsWith(`before-${at}.tar`))).toEqual([`before-${at}.tar`]);
    },
    timeoutMs,
  );

  test.each(points)(
    "push after %d bytes exits 130, and the registry has no tag",
    async (at) => {
      const argv = (host: string) => ["copy", `oci:${dir}/sample:v1`, `${host}/push-${at}:v1`];
      await interrupted(at, argv);
      expect(await tagged(`docker://${registry.host}/push-${at}:v1`)).toBe(false);
      await libraryOutput(argv(registry.host));
      expect(await tagged(`docker://${registry.host}/push-${at}:v1`)).toBe(true);
    },
    timeoutMs,
  );
  test("push into a network that is dead exits 130 all the same, within the time for ending its uploads", async () => {
    const started = performance.now();
    await interrupted(3_000_000, (host) => ["copy", `oci:${dir}/sample:v1`, `${host}/dead:v1`], false);
    expect(performance.now() - started).toBeLessThan(15_000);
    expect(await tagged(`docker://${registry.host}/dead:v1`)).toBe(false);
  }, 30_000);
});

function tlsFlags(place: string): readonly string[] {
  return place.startsWith("docker:") ? ["--tls-verify=false"] : [];
}
