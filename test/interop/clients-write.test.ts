import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import {
  type ClientName,
  clientNames,
  clients,
  libraryReference,
  type Place,
  type Refusal,
  refusalOf,
} from "../support/clients.ts";
import { digestText, missingBelow } from "../support/fingerprints.ts";
import { describeWithPeers } from "../support/peers.ts";
import { libraryOutput, outputOf, runProgram } from "../support/program.ts";
import { type RunningRegistry, registryPrograms, startRegistry } from "../support/registries.ts";
import { makeSample, type SampleName, sampleFile, sampleNames, writeSampleLayout } from "../support/samples.ts";
import { type ServingLibrary, startServing } from "../support/serving.ts";

/** Where the clients write every sample, that the executable reads it there. */
const places = ["ours", "distribution3", "layout", "archive"] as const;
type PlaceName = (typeof places)[number];

const refusals: readonly Refusal[] = [
  ["skopeo", "*", "nested", /received a manifest list instead of a manifest for a single image/],
  ["skopeo", "*", "sha512-*", /Digest did not match|blob with digest sha512:\w+ saved with digest sha256|sha512/],
  ["skopeo", "layout", "docker-list", /preserve digests|would change/],
  ["skopeo", "archive", "docker-list", /preserve digests|would change/],
  ["crane", "*", "sha512-*", /unsupported hash: "sha512"/],
  ["oras", "ours", "sha512-root", /digest mismatch in Docker-Content-Digest: received "sha256:/],
];

/** Not at distribution: it takes no sha512 manifest, and 500 members once are enough. */
const leftOut: ReadonlySet<SampleName> = new Set(["sha512-root", "members-500"]);

const timeoutMs = 60_000;
const programs = [...clientNames, "umoci", registryPrograms.distribution3] as const;

describeWithPeers(programs, "what other clients wrote", (peers) => {
  let folder = "";
  let ours: ServingLibrary;
  let distribution: RunningRegistry;
  const samples = new Map(sampleNames.map((name) => [name, makeSample(name)]));
  const env = () => ({ HOME: join(folder, "home") });

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "library-clients-"));
    for (const name of ["home", "ours", "distribution", "written", "read"]) await mkdir(join(folder, name));
    await writeSampleLayout(join(folder, "samples"), samples);
    ours = await startServing({ dir: join(folder, "ours") });
    distribution = await startRegistry("distribution3", { dir: join(folder, "distribution") });
    for (const name of sampleNames) {
      const { repository, tag } = origin(name);
      await libraryOutput(["copy", `oci:${join(folder, "samples")}:${name}`, `${ours.host}/${repository}:${tag}`]);
    }
  }, timeoutMs);
  afterAll(async () => {
    await distribution?.stop();
    await ours?.stop();
    await rm(folder, { recursive: true, force: true });
  }, timeoutMs);

  /** Where the clients take a sample from. */
  function origin(sample: SampleName) {
    return { kind: "registry", host: ours?.host ?? "", repository: `samples/${sample}`, tag: "1" } as const;
  }

  function place(client: ClientName, name: PlaceName, sample: SampleName): Place {
    if (name === "layout" || name === "archive") {
      const path = join(folder, "written", `${client}-${sample}${name === "layout" ? "" : ".tar"}`);
      return { kind: name, path, tag: "1" };
    }
    const { host } = name === "ours" ? ours : distribution;
    return { kind: "registry", host, repository: `by-${client}/${sample}`, tag: "1" };
  }

  for (const [name, sample] of samples) {
    for (const where of places) {
      if (where === "distribution3" && leftOut.has(name)) continue;
      for (const client of clientNames) {
        const refusal = refusalOf(refusals, client, where, name);
        const { write } = clients[client];
        if (client === "crane" && where === "archive") continue; // It has no command for it
        // Ten seconds each: they write the 500 to layouts
        if (name === "members-500" && where === "ours" && (client === "skopeo" || client === "crane")) continue;

        test(
          `${client} ${refusal ? "refuses to write" : "writes"} ${name} to ${where}${refusal ? "" : ", and copy() reads it"}`,
          async () => {
            const to = place(client, where, name);
            const argv = write(origin(name), to) ?? [];
            const { status, stdout, stderr } = await runProgram(peers[client], argv, { env: env() });
            if (refusal) {
              expect(status).not.toBe(0);
              expect(`${stdout}${stderr}`).toMatch(refusal);
              return;
            }
            expect({ status, stderr: status === 0 ? "" : stderr }).toEqual({ status: 0, stderr: "" });
            const back = join(folder, "read", `${client}-${where}-${name}`);
            // What crane pulls into a layout, and regctl into an archive, has no name, or one of its own
            const isNamed =
              !(client === "crane" && where === "layout") && !(client === "regctl" && where === "archive");
            const reference = isNamed ? libraryReference(to) : libraryReference(to).replace(/:1$/, "");
            const argvBack =
              to.kind === "registry" ? ["pull", reference, "--output", back] : ["copy", reference, `oci:${back}:1`];
            const { result } = JSON.parse((await libraryOutput([...argvBack, "--json"])).toString());
            expect(result.images?.[0]?.digest ?? result.digest).toBe(sample.root.digest);
            const isWhole =
              clients[client].referrers.includes("registry") && !(client === "regctl" && where === "archive");
            expect(await missingBelow(back, isWhole ? sample.blobs.keys() : sample.own)).toEqual([]);
          },
          timeoutMs,
        );
      }
    }
  }

  test("umoci changes an image in a layout that we wrote, and copy() reads the change from there", async () => {
    const path = join(folder, "written", "umoci");
    await libraryOutput(["copy", libraryReference(origin("image")), `oci:${path}:1`]);
    const bundle = join(folder, "bundle");
    const rootless = process.getuid?.() === 0 ? [] : ["--rootless"];
    await outputOf(peers.umoci, ["unpack", ...rootless, "--image", `${path}:1`, bundle], { env: env() });
    await writeFile(join(bundle, "rootfs", "srv", "added"), "by umoci");
    await outputOf(peers.umoci, ["repack", "--image", `${path}:2`, bundle], { env: env() });
    await outputOf(peers.umoci, ["config", "--image", `${path}:2`, "--config.user", "nobody"], { env: env() });
    const raw = await outputOf(peers.skopeo, ["inspect", "--raw", `oci:${path}:2`], { env: env() });

    const target = `${distribution.host}/by-umoci/image:2`;
    await libraryOutput(["copy", `oci:${path}:2`, target]);
    expect((await libraryOutput(["resolve", target])).toString().trim()).toBe(digestText(raw));
    const config = JSON.parse((await libraryOutput(["inspect", "--config", target])).toString());
    expect(config.config.User).toBe("nobody");
    const layers: readonly { readonly digest: string }[] = JSON.parse(raw.toString()).layers;
    expect(layers).toHaveLength(3);
    const added = await libraryOutput(["blob", "get", `${distribution.host}/by-umoci/image@${layers[2]?.digest}`]);
    expect(gunzipSync(added).includes("by umoci")).toBe(true);
    expect((await libraryOutput(["tags", `oci:${path}`])).toString().trim().split("\n")).toEqual(["1", "2"]);
  });

  test("umoci makes an image of nothing, and copy() reads it", async () => {
    const path = join(folder, "written", "umoci-new");
    await outputOf(peers.umoci, ["init", "--layout", path]);
    await outputOf(peers.umoci, ["new", "--image", `${path}:new`]);
    await writeFile(join(folder, "greeting"), sampleFile.text);
    const insert = ["insert", ...(process.getuid?.() === 0 ? [] : ["--rootless"]), "--image", `${path}:new`];
    await outputOf(peers.umoci, [...insert, join(folder, "greeting"), "/greeting"], { env: env() });
    await libraryOutput(["copy", `oci:${path}:new`, `oci-archive:${folder}/umoci-new.tar:new`]);
    const raw = await outputOf(peers.skopeo, ["inspect", "--raw", `oci-archive:${folder}/umoci-new.tar:new`], {
      env: env(),
    });
    const argv = ["resolve", `oci:${path}:new`];
    expect((await libraryOutput(argv)).toString().trim()).toBe(digestText(raw));
  });
});
