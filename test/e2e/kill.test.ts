import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { watch } from "node:fs";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digestText, missingBelow } from "../support/fingerprints.ts";
import { type InterruptedRun, interruptedRun } from "../support/interrupted-run.ts";
import { manyBlobs } from "../support/many-blobs.ts";
import { describeWithPeers } from "../support/peers.ts";
import { libraryOutput, outputOf, runProgram } from "../support/program.ts";
import { startRegistry } from "../support/registries.ts";
import { writeSampleLayout } from "../support/samples.ts";
import { histogram, seededRandom, testSeed } from "../support/seed.ts";
import { startServing } from "../support/serving.ts";

const points = 50;
const timeoutMs = 180_000;
const seed = testSeed();
const sample = manyBlobs(seed);
const wanted = sample.root.digest;
const manifests = new Set<string>([...sample.blobs].flatMap(([digest, bytes]) => (isManifest(bytes) ? [digest] : [])));

/** A registry that runs, and how its repositories are removed. */
interface Running {
  readonly host: string;
  readonly stop: () => Promise<unknown>;
  readonly repositories: string;
}

describeWithPeers(["registry", "skopeo", "umoci"], `killed with SIGKILL (LIBRARY_TEST_SEED=${seed})`, (peers) => {
  let dir = "";
  let distribution: Running;
  let ours: Running;

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), "library-kill-"));
    const [one, two] = [join(dir, "distribution"), join(dir, "ours")];
    for (const folder of [one, two]) await Bun.write(join(folder, "made"), "");
    const registry = await startRegistry("distribution3", { dir: one });
    distribution = { ...registry, repositories: join(one, "storage/docker/registry/v2/repositories") };
    const serving = await startServing({ dir: two });
    ours = { ...serving, repositories: serving.root };
    await writeSampleLayout(join(dir, "sample"), new Map([["v1", sample]]));
    for (const { host } of [distribution, ours]) {
      await skopeoCopy(`oci:${dir}/sample:v1`, `docker://${host}/source:v1`);
    }
  }, 60_000);
  afterAll(async () => {
    await distribution?.stop();
    await ours?.stop();
    await rm(dir, { recursive: true, force: true });
  });

  function skopeoCopy(from: string, to: string): Promise<Buffer> {
    const plain = ["--src-tls-verify=false", "--dest-tls-verify=false"];
    return outputOf(peers.skopeo, ["--insecure-policy", "copy", "--all", "--preserve-digests", ...plain, from, to]);
  }

  /** The digest that skopeo computes of what this place has under the tag; undefined where it finds no such tag. */
  async function seenBySkopeo(place: string): Promise<string | undefined> {
    const argv = ["inspect", "--raw", ...(place.startsWith("docker:") ? ["--tls-verify=false"] : []), place];
    const { status, stdout, stderr } = await runProgram(peers.skopeo, argv);
    if (status === 0) return digestText(stdout);
    expect(stderr).toMatch(/manifest unknown|name unknown|no such file|no descriptor found|not found/);
    return undefined;
  }

  /** skopeo copies all of it, checking digests, and then every blob and manifest is there under its own hash. */
  async function expectWhole(place: string, scratch: string): Promise<void> {
    await skopeoCopy(place, `dir:${scratch}`);
    expect(await missingBelow(scratch, sample.blobs.keys())).toEqual([]);
    await rm(scratch, { recursive: true });
  }

  /** The registry gives every blob and manifest by its digest, with the right bytes. */
  async function expectServed(host: string, repository: string): Promise<void> {
    const headers = { accept: "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json" };
    for (const digest of sample.blobs.keys()) {
      const kind = manifests.has(digest) ? "manifests" : "blobs";
      const response = await fetch(`http://${host}/v2/${repository}/${kind}/${digest}`, { headers });
      expect(digestText(await response.bytes())).toBe(digest);
    }
  }

  describe("pull", () => {
    /** Nothing wrong lies below its digest, and the tag is absent or names what is whole. */
    async function checkLayout(folder: string, others = 0): Promise<string> {
      const seen = await seenBySkopeo(`oci:${folder}:v1`);
      const blobs = await readdir(join(folder, "blobs/sha256")).catch(() => undefined);
      if (blobs === undefined) {
        expect(seen).toBeUndefined();
        return "no layout";
      }
      for (const name of blobs) {
        expect(digestText(await readFile(join(folder, "blobs/sha256", name)))).toBe(`sha256:${name}`);
      }
      const tags = (await outputOf(peers.umoci, ["ls", "--layout", folder])).toString().split("\n");
      expect(tags.includes("v1")).toBe(seen !== undefined);
      if (seen === undefined) {
        const count = blobs.length - others;
        return count === 0 ? "no blob" : count < sample.blobs.size ? "some blobs, no tag" : "all blobs, no tag";
      }
      expect(seen).toBe(wanted);
      await expectWhole(`oci:${folder}:v1`, `${folder}-seen`);
      return "whole";
    }

    const argv = (folder: string) => (host: string) => ["pull", "--quiet", `${host}/source:v1`, "-o", folder];

    test(
      "by bytes moved: the layout has the tag on the whole or not at all, and the next pull is equal",
      async () => {
        const { moved } = await finished(distribution.host, argv(join(dir, "pulled")));
        expect(await checkLayout(join(dir, "pulled"))).toBe("whole");
        const whole = await contentOf(join(dir, "pulled"));
        const killed = await each(pointsUpTo(moved, "pull"), async (at, number) => {
          const folder = join(dir, `pull-${number}`);
          const run = await interruptedRun({ registry: distribution.host, argv: argv(folder), at });
          const state = await checkLayout(folder);
          await libraryOutput(argv(folder)(distribution.host));
          expect(await contentOf(folder)).toEqual(whole);
          await rm(folder, { recursive: true });
          return { run, state };
        });
        tell("pull", moved, killed);
        expect(killed.filter(({ run }) => run.ended === "SIGKILL").length).toBeGreaterThanOrEqual(points);
      },
      timeoutMs,
    );

    test(
      "while its blobs and its index appear: the same, and the other tag of the layout stays",
      async () => {
        await Bun.write(join(dir, "content/file"), "a layer of the other image\n");
        const random = seededRandom(seed + 4);
        const changes = Array.from({ length: 12 }, (_, at) => (at < 8 ? 1 + Math.floor(random() * 56) : 49 + at));
        const killed = await each(changes, async (count, number) => {
          const folder = join(dir, `commit-${number}`);
          await libraryOutput(["append", "-o", `oci:${folder}:other`, "--layer", join(dir, "content")]);
          const others = await readdir(join(folder, "blobs/sha256"));
          const run = await interruptedRun({
            registry: distribution.host,
            argv: argv(folder),
            watch: (interrupt) => afterChanges(folder, count, interrupt),
          });
          const state = await checkLayout(folder, others.length);
          await libraryOutput(argv(folder)(distribution.host));
          expect(await checkLayout(folder, others.length)).toBe("whole");
          const tags = (await outputOf(peers.umoci, ["ls", "--layout", folder])).toString().trim().split("\n");
          expect(tags.sort()).toEqual(["other", "v1"]);
          await rm(folder, { recursive: true });
          return { run, state };
        });
        tell("pull, by files changed", 0, killed);
        expect(killed.filter(({ run }) => run.ended === "SIGKILL").length).toBeGreaterThanOrEqual(8);
      },
      timeoutMs,
    );
  });

  describe("archive", () => {
    const argv = (file: string) => (host: string) => [
      "copy",
      "--quiet",
      "--force",
      `${host}/source:v1`,
      `oci-archive:${file}:v1`,
    ];

    test(
      "by bytes moved: the file is absent or whole, and the next copy writes the same bytes",
      async () => {
        const reference = join(dir, "reference.tar");
        const { moved } = await finished(distribution.host, argv(reference));
        await expectWhole(`oci-archive:${reference}:v1`, join(dir, "reference-seen"));
        const whole = digestText(await readFile(reference));
        const killed = await each(pointsUpTo(moved, "archive"), async (at, number) => {
          const file = join(dir, `archive-${number}.tar`);
          const run = await interruptedRun({ registry: distribution.host, argv: argv(file), at });
          const state = await readFile(file).then(digestText, () => "absent");
          expect(["absent", whole]).toContain(state);
          expect(await seenBySkopeo(`oci-archive:${file}:v1`)).toBe(state === "absent" ? undefined : wanted);
          await libraryOutput(argv(file)(distribution.host));
          expect(digestText(await readFile(file))).toBe(whole);
          expect(await seenBySkopeo(`oci-archive:${file}:v1`)).toBe(wanted);
          await rm(file);
          return { run, state: state === whole ? "whole" : state };
        });
        tell("archive", moved, killed);
        expect(killed.filter(({ run }) => run.ended === "SIGKILL").length).toBeGreaterThanOrEqual(points);
      },
      timeoutMs,
    );
  });

  describe("push", () => {
    test.each(["distribution", "ours"] as const)(
      "to %s, by bytes moved: no tag on less than the whole, and the next push is equal",
      async (name) => {
        const { host, repositories } = name === "ours" ? ours : distribution;
        const argv = (repository: string) => (at: string) => [
          ...["copy", "--quiet", `oci:${dir}/sample:v1`, `${at}/${repository}:v1`],
        ];
        const { moved } = await finished(host, argv("measured"));
        const killed = await each(pointsUpTo(moved, name), async (at, number) => {
          const repository = `push-${number}`;
          const place = `docker://${host}/${repository}:v1`;
          const run = await interruptedRun({ registry: host, argv: argv(repository), at });
          const seen = await seenBySkopeo(place);
          if (seen !== undefined) {
            expect(seen).toBe(wanted);
            await expectWhole(place, join(dir, `${name}-${number}-seen`));
          }
          await libraryOutput(argv(repository)(host));
          expect(await seenBySkopeo(place)).toBe(wanted);
          await expectServed(host, repository);
          await rm(join(repositories, repository), { recursive: true });
          return { run, state: seen === undefined ? "no tag" : "whole" };
        });
        tell(`push to ${name}`, moved, killed);
        expect(killed.filter(({ run }) => run.ended === "SIGKILL").length).toBeGreaterThanOrEqual(points);
      },
      timeoutMs,
    );
  });
});

interface Killed {
  readonly run: InterruptedRun;
  /** What the final place held after. */
  readonly state: string;
}

/** A run that nothing interrupts. */
async function finished(registry: string, argv: (host: string) => readonly string[]): Promise<InterruptedRun> {
  const run = await interruptedRun({ registry, argv });
  expect(run).toMatchObject({ ended: 0, stderr: "" });
  return run;
}

/**
 * 50 numbers of bytes: some in the first and many in the last, where manifests and tags are, the others anywhere; and 6
 * among the very last, which a run may end without reaching, as what is moved differs by some bytes from run to run.
 */
function pointsUpTo(moved: number, name: string): readonly number[] {
  const random = seededRandom(seed + name.length);
  const last = moved - 1500;
  const between = (from: number, to: number) => Math.max(1, Math.floor(from + random() * (to - from)));
  return Array.from({ length: points + 6 }, (_, at) => {
    if (at >= points) return between(last, moved);
    if (at % 10 === 0) return between(1, 30_000);
    return at % 10 < 4 ? between(last - 40_000, last) : between(1, last);
  });
}

/** Runs `body` for all, two at a time. */
async function each<T>(
  all: readonly number[],
  body: (at: number, number: number) => Promise<T>,
): Promise<readonly T[]> {
  const results: T[] = [];
  let next = 0;
  const work = async () => {
    for (let number = next++; number < all.length; number = next++)
      results[number] = await body(all[number] ?? 0, number);
  };
  await Promise.all([work(), work()]);
  return results;
}

function tell(name: string, moved: number, killed: readonly Killed[]): void {
  const signals = killed.filter(({ run }) => run.ended === "SIGKILL").length;
  console.log(`${name}: ${signals} of ${killed.length} killed, of ${moved} bytes; seed ${seed}`);
  console.log(`  while: ${histogram(killed.map(({ run }) => run.phase))}`);
  console.log(`  after: ${histogram(killed.map(({ state }) => state))}`);
  const tenths = killed.map(({ run }) => `${Math.min(9, Math.floor((run.moved / moved) * 10))}`).sort();
  if (moved > 0)
    console.log(`  tenths: ${[..."0123456789"].map((t) => tenths.filter((x) => x === t).length).join(" ")}`);
}

/** The files of a layout that count, not those that other tools ignore, with the hash of their bytes. */
async function contentOf(folder: string): Promise<Readonly<Record<string, string>>> {
  const blobs = (await readdir(join(folder, "blobs/sha256"))).sort().map((name) => `blobs/sha256/${name}`);
  const content: Record<string, string> = {};
  for (const name of ["index.json", "oci-layout", ...blobs])
    content[name] = digestText(await readFile(join(folder, name)));
  return content;
}

function isManifest(bytes: Uint8Array): boolean {
  return Buffer.from(bytes.subarray(0, 16)).toString("latin1") === '{"schemaVersion"';
}

/** Calls `act` at the `count`th change among the blobs of a layout and its own files; the function returned ends that. */
function afterChanges(layout: string, count: number, act: () => void): () => void {
  let seen = 0;
  const watchers = [join(layout, "blobs/sha256"), layout].map((folder) =>
    watch(folder, () => {
      if (++seen === count) act();
    }),
  );
  return () => {
    for (const watcher of watchers) watcher.close();
  };
}
