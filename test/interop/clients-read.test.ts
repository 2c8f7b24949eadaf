import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { clientNames, clients, libraryReference, type Place, type Refusal, refusalOf } from "../support/clients.ts";
import { digestText, missingBelow } from "../support/fingerprints.ts";
import { describeWithPeers } from "../support/peers.ts";
import { libraryOutput, outputOf, runProgram } from "../support/program.ts";
import { type RunningRegistry, registryPrograms, startRegistry } from "../support/registries.ts";
import { makeSample, type SampleName, sampleFile, sampleNames, writeSampleLayout } from "../support/samples.ts";
import { type ServingLibrary, startServing } from "../support/serving.ts";

/** Where the executable writes every sample, that others read it there. */
const places = ["ours", "distribution3", "layout", "archive"] as const;
type PlaceName = (typeof places)[number];

const refusals: readonly Refusal[] = [
  ["skopeo", "*", "nested", /received a manifest list instead of a manifest for a single image/],
  ["skopeo", "*", "sha512-*", /blob with digest sha512:\w+ saved with digest sha256/],
  // 1.9 looks for OCI's types only
  ["skopeo", "layout", "docker-*", /no descriptor found for reference/],
  ["skopeo", "archive", "docker-*", /no descriptor found for reference/],
  ["crane", "*", "sha512-*", /unsupported hash: "sha512"/],
  // distribution answers for a sha512 blob with its own sha256
  ["oras", "distribution3", "sha512-blobs", /digest mismatch in Docker-Content-Digest: received "sha256:/],
];

/** umoci knows OCI images alone, of sha256 and gzip. */
const umociRefusals: Readonly<Partial<Record<SampleName, RegExp>>> = {
  platforms: /tag is ambiguous/,
  nested: /tag is ambiguous/,
  "members-500": /tag is ambiguous/,
  "docker-image": /not implemented: application\/vnd\.docker/,
  "docker-list": /not implemented: application\/vnd\.docker/,
  zstd: /not correct mediatype: application\/vnd\.oci\.image\.layer\.v1\.tar\+zstd/,
  "sha512-blobs": /unsupported algorithm: "sha512"/,
  "sha512-root": /unsupported algorithm: "sha512"/,
};

/** Not at distribution: it takes no sha512 manifest (see registries.test.ts), and 500 members once are enough. */
const leftOut: ReadonlySet<SampleName> = new Set(["sha512-root", "members-500"]);

const timeoutMs = 60_000;
const programs = [...clientNames, "umoci", registryPrograms.distribution3] as const;

describeWithPeers(programs, "what the executable wrote", (peers) => {
  let folder = "";
  let ours: ServingLibrary;
  let distribution: RunningRegistry;
  const samples = new Map(sampleNames.map((name) => [name, makeSample(name)]));
  const env = () => ({ HOME: join(folder, "home") });

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "library-clients-"));
    for (const name of ["home", "ours", "distribution", "layouts", "archives"]) await mkdir(join(folder, name));
    await writeSampleLayout(join(folder, "samples"), samples);
    ours = await startServing({ dir: join(folder, "ours") });
    distribution = await startRegistry("distribution3", { dir: join(folder, "distribution") });
  }, timeoutMs);
  afterAll(async () => {
    await distribution?.stop();
    await ours?.stop();
    await rm(folder, { recursive: true, force: true });
  }, timeoutMs);

  function place(name: PlaceName, sample: SampleName): Place {
    if (name === "layout") return { kind: "layout", path: join(folder, "layouts", sample), tag: sample };
    if (name === "archive") return { kind: "archive", path: join(folder, "archives", `${sample}.tar`), tag: sample };
    const { host } = name === "ours" ? ours : distribution;
    return { kind: "registry", host, repository: `samples/${sample}`, tag: "1" };
  }

  for (const [name, sample] of samples) {
    for (const where of places) {
      if (where === "distribution3" && leftOut.has(name)) continue;
      const algorithm = sample.root.digest.split(":", 1)[0] ?? "";
      const written = { done: false };

      test(
        `copy() writes ${name} to ${where}`,
        async () => {
          const target = libraryReference(place(where, name));
          const argv = ["copy", "--json", `oci:${join(folder, "samples")}:${name}`, target];
          const { status, result } = JSON.parse((await libraryOutput(argv)).toString());
          expect({ status, digest: result.images[0].digest }).toEqual({ status: "ok", digest: sample.root.digest });
          written.done = true;
        },
        timeoutMs,
      );

      for (const client of clientNames) {
        const { manifest, read, referrers } = clients[client];
        const refusal = refusalOf(refusals, client, where, name);
        const from = () => place(where, name);
        const to = () => join(folder, "read", `${client}-${where}-${name}`);
        if (read({ ...placeShape(where), tag: "1" }, "") === undefined) continue;

        test(
          `${client} ${refusal ? "refuses" : "reads"} ${name} in ${where}`,
          async () => {
            expect(written.done).toBe(true);
            await mkdir(join(folder, "read"), { recursive: true });
            const { status, stderr } = await runProgram(peers[client], read(from(), to()) ?? [], { env: env() });
            if (refusal) {
              expect(status).not.toBe(0);
              expect(stderr).toMatch(refusal);
              return;
            }
            expect({ status, stderr: status === 0 ? "" : stderr }).toEqual({ status: 0, stderr: "" });
            expect(
              await missingBelow(to(), referrers.includes(from().kind) ? sample.blobs.keys() : sample.own),
            ).toEqual([]);
            const argv = manifest(from());
            if (argv === undefined) return;
            const raw = await outputOf(peers[client], argv, { env: env() });
            expect(digestText(raw, algorithm)).toBe(sample.root.digest);
          },
          timeoutMs,
        );
      }
    }

    const umociRefusal = umociRefusals[name];
    test(`umoci ${umociRefusal ? "refuses" : "unpacks"} ${name} in layout`, async () => {
      const path = join(folder, "layouts", name);
      const bundle = join(folder, `bundle-${name}`);
      expect((await outputOf(peers.umoci, ["ls", "--layout", path])).toString().trim()).toBe(name);
      const rootless = process.getuid?.() === 0 ? [] : ["--rootless"];
      const argv = ["unpack", ...rootless, "--image", `${path}:${name}`, bundle];
      const { status, stdout, stderr } = await runProgram(peers.umoci, argv, { env: env() });
      if (umociRefusal) {
        expect(status).not.toBe(0);
        expect(`${stdout}${stderr}`).toMatch(umociRefusal);
        return;
      }
      expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
      expect(await readFile(join(bundle, "rootfs", sampleFile.path), "utf8")).toBe(sampleFile.text);
    });

    if (leftOut.has(name)) continue;
    // A layout with referrers has several entries, which crane takes for several images
    const isWhole = !name.startsWith("sha512") && name !== "referred";
    test(
      `crane ${isWhole ? "pushes" : "refuses to push"} ${name} from layout`,
      async () => {
        const target = `${distribution.host}/from-crane/${name}:1`;
        const argv = ["push", join(folder, "layouts", name), target];
        const { status, stdout, stderr } = await runProgram(peers.crane, argv, { env: env() });
        if (!isWhole) {
          expect(status).not.toBe(0);
          expect(stderr).toMatch(/unsupported hash: "sha512"|layout contains 4 entries/);
          return;
        }
        expect({ status, printed: stdout.toString().trim() }).toEqual({
          status: 0,
          printed: `${distribution.host}/from-crane/${name}@${sample.root.digest}`,
        });
      },
      timeoutMs,
    );
  }

  test("every sample has two readers in a registry, in a layout and in an archive", () => {
    for (const name of sampleNames) {
      for (const where of ["ours", "layout", "archive"] as const) {
        const readers = clientNames.filter(
          (client) =>
            clients[client].read({ ...placeShape(where), tag: "1" }, "") !== undefined &&
            refusalOf(refusals, client, where, name) === undefined,
        );
        expect({ name, where, enough: readers.length >= 2 }).toEqual({ name, where, enough: true });
      }
    }
  });
});

/** A place of that kind, to ask whether a client has a command for it. */
function placeShape(where: PlaceName): Place {
  if (where === "layout" || where === "archive") return { kind: where, path: "", tag: "1" };
  return { kind: "registry", host: "", repository: "", tag: "1" };
}
