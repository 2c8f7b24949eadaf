import { expect } from "bun:test";
import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { BlobReport } from "../../src/operations/blob.ts";
import type { DeleteReport } from "../../src/operations/delete.ts";
import type { InspectReport } from "../../src/operations/inspect.ts";
import type { PingReport } from "../../src/operations/ping.ts";
import type { TagsReport } from "../../src/operations/tags.ts";
import { digestText } from "./fingerprints.ts";
import { seededBytes } from "./graph.ts";
import { libraryOutput, runLibrary } from "./program.ts";
import { digestAt, push, type Resolved, refusalOf, tagsAt } from "./pushed.ts";
import {
  append,
  copyAcross,
  copyAllTags,
  copyInChunks,
  copyReferrers,
  copyTags,
  exportImage,
  pull,
  pushImage,
} from "./registry-verbs-copy.ts";
import { makeSample } from "./samples.ts";
import { account, type VerbRegistry } from "./verb-registry.ts";

/** One row of docs/registries.md: what is done, and checked; what it gives is told beside "done". */
export interface Verb {
  readonly name: string;
  /** `samples` is a layout with every sample. */
  readonly run: (registry: VerbRegistry, samples: string) => Promise<string | undefined>;
}

/** Every verb against a repository of its own, in the order of the page. */
export const verbs: readonly Verb[] = [
  { name: "`ping`", run: ping },
  { name: "`login`, `logout`", run: login },
  { name: "`push image`", run: pushImage },
  { name: "`append` to a registry", run: append },
  { name: "`copy` from a layout", run: async (on, samples) => void (await push(on, samples, "platforms", "pushed")) },
  {
    name: "`copy` of Docker's types",
    run: async (on, samples) => void (await push(on, samples, "docker-list", "docker")),
  },
  { name: "`copy` of nested indexes", run: async (on, samples) => void (await push(on, samples, "nested", "nested")) },
  {
    name: "`copy` of sha512 blobs",
    run: async (on, samples) => void (await push(on, samples, "sha512-blobs", "long-blobs")),
  },
  {
    name: "`copy` of a sha512 manifest",
    run: async (on, samples) => void (await push(on, samples, "sha512-root", "long-root")),
  },
  { name: "`copy` with several tags", run: copyTags },
  { name: "`copy` to another repository", run: copyAcross },
  { name: "`copy` of an image with referrers, and back", run: copyReferrers },
  { name: "`copy --all-tags` to an archive", run: copyAllTags },
  { name: "`blob put` through a proxy that takes no large bodies", run: copyInChunks },
  { name: "`pull`", run: pull },
  { name: "`export`", run: exportImage },
  { name: "`inspect`", run: inspect },
  { name: "`resolve`", run: resolve },
  { name: "`tags`", run: tags },
  { name: "`tag`", run: tag },
  { name: "`delete` of a tag, which leaves the others", run: deleteTag },
  { name: "`delete` of a digest, with all its tags", run: deleteDigest },
  { name: "`blob put`, `blob head`, `blob get`", run: blob },
  { name: "`manifest put`, `manifest head`, `manifest get`", run: manifest },
];

async function ping(on: VerbRegistry, samples: string) {
  expect((await on.library<PingReport>("ping", on.host)).result).toMatchObject({ httpStatus: 200, registry: on.host });
  const { repository } = await push(on, samples, "image", "pinged");
  const { result } = await on.library<PingReport>("ping", repository);
  return result.referrers === "api" ? "has the referrers API" : "no referrers API";
}

async function login(on: VerbRegistry, samples: string) {
  const authfile = ["--authfile", join(on.folder, "auth.json")];
  const withPassword = async (host: string, password: string) => {
    const argv = ["login", host, "--username", account.username, "--password-stdin", "--json", ...authfile];
    const { status, stdout } = await runLibrary(argv, { input: password });
    const { errors, warnings } = JSON.parse(stdout.toString());
    return { status, code: errors[0]?.code, warnings: warnings.map(({ code }: { readonly code: string }) => code) };
  };
  if (on.guardedHost === undefined) {
    const { status, warnings } = await withPassword(on.host, account.password);
    expect({ status, warned: warnings.includes("no-authentication") }).toEqual({ status: 0, warned: true });
    await on.library("logout", on.host, ...authfile);
    return "it asks for no credentials";
  }
  const image = `${on.guardedHost}/verbs/private:1`;
  const copy = ["copy", `oci:${samples}:image`, image];
  expect(await refusalOf(on.library(...copy, ...authfile))).toBe("unauthorized");
  expect(await withPassword(on.guardedHost, "wrong")).toMatchObject({ status: 3, code: "unauthorized" });
  expect(await withPassword(on.guardedHost, account.password)).toMatchObject({ status: 0 });
  await on.library(...copy, ...authfile);
  await on.library("pull", image, "--output", join(on.folder, "private"), ...authfile);
  await on.library("logout", on.guardedHost, ...authfile);
  expect(await refusalOf(on.library("resolve", image, ...authfile))).toBe("unauthorized");
  return "Basic";
}

async function inspect(on: VerbRegistry, samples: string) {
  const { reference, digest } = await push(on, samples, "platforms", "inspected");
  const { result } = await on.library<InspectReport>("inspect", reference);
  expect({ digest: String(result.digest), members: result.members?.length }).toEqual({ digest, members: 2 });
  expect(digestText(await libraryOutput(["inspect", "--raw", reference]))).toBe(digest);
  const config = JSON.parse(
    (await libraryOutput(["inspect", "--config", "--platform", "linux/arm64", reference])).toString(),
  );
  expect(config.architecture).toBe("arm64");
  return undefined;
}

async function resolve(on: VerbRegistry, samples: string) {
  const { reference, repository, digest } = await push(on, samples, "platforms", "resolved");
  expect(await digestAt(on, `${repository}@${digest}`)).toBe(digest);
  const one = (await on.library<Resolved>("resolve", "--platform", "linux/arm64", reference)).result.digest;
  const own: ReadonlySet<string> = makeSample("platforms").own;
  expect(own.has(one)).toBe(true);
  expect(await refusalOf(on.library("resolve", `${repository}:missing`))).toBe("not-found");
  return undefined;
}

async function tags(on: VerbRegistry, samples: string) {
  const { reference, repository } = await push(on, samples, "image", "tags");
  await on.library("tag", reference, "z", "b", "a");
  const { result } = await on.library<TagsReport>("tags", "--limit", "3", repository);
  expect({ tags: result.tags, more: result.more }).toEqual({ tags: ["1", "a", "b"], more: true });
  return undefined;
}

async function tag(on: VerbRegistry, samples: string) {
  const { reference, repository, digest } = await push(on, samples, "image", "tagged");
  await on.library("tag", reference, "2", "3");
  expect(await digestAt(on, `${repository}:3`)).toBe(digest);
  await on.library("copy", `oci:${samples}:zstd`, `${repository}:other`);
  expect(await refusalOf(on.library("tag", `${repository}:other`, "3"))).toBe("tag-moved");
  expect(await digestAt(on, `${repository}:3`)).toBe(digest);
  await on.library("tag", "--force", `${repository}:other`, "3");
  expect(await digestAt(on, `${repository}:3`)).toBe(makeSample("zstd").root.digest);
  return undefined;
}

async function deleteTag(on: VerbRegistry, samples: string) {
  const { reference, repository, digest } = await push(on, samples, "image", "untagged");
  await on.library("tag", reference, "2", "3");
  const deletion = on.library<DeleteReport>("delete", "--yes", `${repository}:2`);
  const refused = await deletion.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(await tagsAt(on, repository)).toEqual(refused === undefined ? ["1", "3"] : ["1", "2", "3"]);
  for (const name of ["1", "3"]) expect(await digestAt(on, `${repository}:${name}`)).toBe(digest);
  if (refused !== undefined) throw refused;
  return undefined;
}

async function deleteDigest(on: VerbRegistry, samples: string) {
  const { reference, repository, digest } = await push(on, samples, "image", "deleted");
  await on.library("tag", reference, "2");
  await on.library("copy", `oci:${samples}:zstd`, `${repository}:kept`);
  const plan = await on.library<DeleteReport>("delete", "--dry-run", `${repository}@${digest}`);
  expect(plan.result).toMatchObject({ deleted: false, tags: ["1", "2"] });
  expect(await digestAt(on, reference)).toBe(digest);
  const { result } = await on.library<DeleteReport>("delete", "--yes", `${repository}@${digest}`);
  expect(result).toMatchObject({ deleted: true, tags: ["1", "2"] });
  expect(await refusalOf(on.library("resolve", `${repository}@${digest}`))).toBe("not-found");
  expect(await refusalOf(on.library("resolve", reference))).toBe("not-found");
  expect(await digestAt(on, `${repository}:kept`)).toBe(makeSample("zstd").root.digest);
  return undefined;
}

async function blob(on: VerbRegistry) {
  const bytes = seededBytes(70_000, 2);
  const file = join(on.folder, "blob");
  await writeFile(file, bytes);
  const place = `${on.host}/verbs/raw`;
  const { result } = await on.library<BlobReport>("blob", "put", place, file);
  expect({ digest: String(result.digest), size: result.size }).toEqual({ digest: digestText(bytes), size: 70_000 });
  expect((await on.library<BlobReport>("blob", "head", `${place}@${result.digest}`)).result.size).toBe(70_000);
  const copy = join(on.folder, "blob-copy");
  await on.library("blob", "get", `${place}@${result.digest}`, "--output", copy);
  expect((await stat(copy)).size).toBe(70_000);
  expect(digestText(await readFile(copy))).toBe(result.digest);
  expect(await refusalOf(on.library("blob", "head", `${place}@sha256:${"0".repeat(64)}`))).toBe("not-found");
  return undefined;
}

async function manifest(on: VerbRegistry, samples: string) {
  const { reference, repository, digest } = await push(on, samples, "image", "manifests");
  const file = join(on.folder, "manifest.json");
  await on.library("manifest", "get", reference, "--output", file);
  expect(digestText(await readFile(file))).toBe(digest);
  await on.library("manifest", "put", `${repository}:put`, file);
  const { result } = await on.library<Resolved>("manifest", "head", `${repository}:put`);
  expect(result.digest).toBe(digest);
  return undefined;
}
