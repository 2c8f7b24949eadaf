import { expect } from "bun:test";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { AppendReport } from "../../src/operations/append.ts";
import type { BlobReport } from "../../src/operations/blob.ts";
import type { CopyReport } from "../../src/operations/copy.ts";
import type { InspectReport } from "../../src/operations/inspect.ts";
import type { TagsReport } from "../../src/operations/tags.ts";
import { startBodyLimit } from "./body-limit.ts";
import { digestText, missingBelow } from "./fingerprints.ts";
import { seededBytes } from "./graph.ts";
import { manifestWith } from "./manifest-text.ts";
import { libraryBinary, libraryOutput, outputOf } from "./program.ts";
import { digestAt, push, tagsAt } from "./pushed.ts";
import { makeSample } from "./samples.ts";
import type { VerbRegistry } from "./verb-registry.ts";

/** An image of a base in the registry and one layer more. */
export async function append(on: VerbRegistry, samples: string) {
  const { reference, repository } = await push(on, samples, "platforms", "base");
  const layer = join(on.folder, "layer");
  await mkdir(layer, { recursive: true });
  await writeFile(join(layer, "added"), "added\n");
  const argv = ["append", "--base", reference, "--layer", `${layer}:/srv`, "--output", `${repository}:2`];
  const { result } = await on.library<AppendReport>(...argv);
  expect(await digestAt(on, `${repository}:2`)).toBe(result.digest);
  const { members } = (await on.library<InspectReport>("inspect", `${repository}:2`)).result;
  expect(members?.map(({ platform }) => platform)).toEqual(["linux/amd64", "linux/arm64"]);
  return undefined;
}

/** What `append -m` made lands under every tag of its manifest. */
export async function pushImage(on: VerbRegistry) {
  const project = join(on.folder, "project");
  await mkdir(join(project, "files"), { recursive: true });
  await writeFile(join(project, "files", "greeting"), "hello\n");
  const manifest = manifestWith("host: registry.example.org", `host: ${on.host}`);
  await writeFile(join(project, ".library.manifest.yaml"), manifest);
  await writeFile(join(project, "Dockerfile"), "FROM scratch\nCOPY files /files\n");
  const run = (argv: readonly string[]) => outputOf(libraryBinary(), [...argv, "--json"], { cwd: project });
  const appended = JSON.parse(
    (await run(["append", "-m", ".library.manifest.yaml", "--layer", "files:/files"])).toString(),
  );
  await run(["push", "image"]);
  expect(await tagsAt(on, `${on.host}/astro/viewer`)).toEqual(["1.10", "latest"]);
  expect(await digestAt(on, `${on.host}/astro/viewer:latest`)).toBe(appended.result.digest);
  return undefined;
}

/** One image under several tags. */
export async function copyTags(on: VerbRegistry, samples: string) {
  const repository = `${on.host}/verbs/many-tags`;
  await on.library("copy", `oci:${samples}:image`, `${repository}:1`, "--tag", "1.0", "--tag", "latest");
  expect(await tagsAt(on, repository)).toEqual(["1", "1.0", "latest"]);
  for (const name of ["1", "1.0", "latest"]) {
    expect(await digestAt(on, `${repository}:${name}`)).toBe(makeSample("image").root.digest);
  }
  return undefined;
}

/** From one repository to another of the same registry. */
export async function copyAcross(on: VerbRegistry, samples: string) {
  const { reference, digest } = await push(on, samples, "platforms", "origin");
  const to = `${on.host}/verbs/promoted:1`;
  const { outcomes } = (await on.library<CopyReport>("copy", reference, to)).result;
  expect(await digestAt(on, to)).toBe(digest);
  // The index, its two manifests, and of each a config and two layers
  expect(outcomes.mounted + outcomes.present + outcomes.sent).toBe(9);
  if (outcomes.mounted > 0) return `blobs mounted: ${outcomes.mounted}`;
  return outcomes.present > 0 ? "blobs are shared by all repositories" : "blobs sent again";
}

/** An image with referrers of it, of its child, and of a referrer. */
export async function copyReferrers(on: VerbRegistry, samples: string) {
  const sample = makeSample("referred");
  const { reference, repository } = await push(on, samples, "referred", "referred");
  const back = join(on.folder, "referred");
  await on.library("copy", reference, `oci:${back}:1`);
  expect(await missingBelow(back, sample.blobs.keys())).toEqual([]);
  expect(await tagsAt(on, repository)).toEqual(["1"]);
  const all = (await on.library<TagsReport>("tags", repository, "--all")).result.tags;
  return all.length > 1 ? `found by ${all.length - 1} referrers tags` : "found by the referrers API";
}

/** A repository with two tags. */
export async function copyAllTags(on: VerbRegistry, samples: string) {
  const repository = `${on.host}/verbs/all-tags`;
  for (const name of ["image", "zstd"] as const)
    await on.library("copy", `oci:${samples}:${name}`, `${repository}:${name}`);
  const archive = join(on.folder, "all-tags.tar");
  await on.library("copy", "--all-tags", repository, `oci-archive:${archive}`);
  expect((await on.library<TagsReport>("tags", `oci-archive:${archive}`)).result.tags).toEqual(["image", "zstd"]);
  const { root } = makeSample("zstd");
  expect(await digestAt(on, `oci-archive:${archive}:zstd`)).toBe(root.digest);
  return undefined;
}

/** A blob that is too large for what stands before the registry. */
export async function copyInChunks(on: VerbRegistry) {
  const proxy = await startBodyLimit(on.host, 1_500_000);
  try {
    const file = join(on.folder, "large");
    await writeFile(file, seededBytes(3_500_000, 1));
    const place = `${proxy.host}/verbs/chunks`;
    const { result } = await on.library<BlobReport>("blob", "put", place, file);
    expect(proxy.refused()).toBeGreaterThan(0);
    expect(proxy.chunks()).toBeGreaterThanOrEqual(3);
    const got = await libraryOutput(["blob", "get", `${on.host}/verbs/chunks@${result.digest}`]);
    expect(digestText(got)).toBe(digestText(seededBytes(3_500_000, 1)));
    return "in chunks";
  } finally {
    await proxy.stop();
  }
}

/** Into a layout, every byte compared. */
export async function pull(on: VerbRegistry, samples: string) {
  const { reference } = await push(on, samples, "platforms", "pulled");
  const to = join(on.folder, "pulled");
  await on.library("pull", reference, "--output", to);
  expect(await missingBelow(to, makeSample("platforms").own)).toEqual([]);
  return undefined;
}

/** To the path that buildpacks expect. */
export async function exportImage(on: VerbRegistry, samples: string) {
  const { reference, digest } = await push(on, samples, "image", "exported");
  const layouts = join(on.folder, "layouts");
  await on.library("export", reference, "--layout-dir", layouts);
  const path = join(layouts, on.host, "verbs", "exported", "1");
  expect(JSON.parse(await readFile(join(path, "index.json"), "utf8")).manifests[0].digest).toBe(digest);
  return undefined;
}
