import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { type BuildReport, readBuildReport } from "../build/report.ts";
import type { Context } from "../core/context.ts";
import { isLibraryError, LibraryError, UsageError } from "../core/error.ts";
import type { Report } from "../core/report.ts";
import { type OpenedManifest, openManifest } from "../manifest/open.ts";
import { type ImageName, imageNames, resolveTag } from "../manifest/references.ts";
import type { Digest } from "../oci/digest.ts";
import type { Manifest } from "../oci/manifest.ts";
import { formatReference, type RegistryLocation } from "../oci/reference.ts";
import type { Store } from "../store/store.ts";
import { openWorkspace, reportedLayout } from "./build-record.ts";
import { copyImages } from "./copy.ts";
import { openSource, openTarget } from "./open.ts";

/** Whose build is pushed, and to which names. */
export interface PushImageInput {
  /** Default `.library.manifest.yaml`. */
  readonly manifest?: string | undefined;
  /** The layout that the image is in, where it is not the one that build.json names. */
  readonly layout?: string | undefined;
  /** Tags or full references to push instead of the manifest's. */
  readonly tag: readonly string[];
  readonly dryRun: boolean;
}

/** What became of one name. */
export interface PushedTag {
  readonly reference: string;
  readonly digest: Digest;
  readonly status: "pushed" | "failed" | "planned";
  /** Why it failed. */
  readonly error?: { readonly code: string; readonly message: string } | undefined;
}

/** What landed where; `incomplete` where a part did not. */
export interface PushImageReport extends Report {
  readonly dryRun: boolean;
  readonly digest: Digest;
  readonly mediaType: string;
  /** Of the root manifest, in bytes. */
  readonly size: number;
  readonly layout: string;
  readonly tags: readonly PushedTag[];
  readonly bytesSent: number;
  /** The command that goes on where only a part was done. */
  readonly resume?: string | undefined;
}

/**
 * What `build` or `append` made of the manifest is at every name of it after, whole, with its referrers, under one
 * digest. Names in one repository become visible together; where one repository fails, the others are still pushed, and
 * the report is `incomplete`. Throws `build-missing` where there is nothing to push, and the failure itself where
 * nothing landed.
 */
export async function pushImage(context: Context, input: PushImageInput): Promise<PushImageReport> {
  if (input.manifest !== undefined) await refuseReference(input.manifest, context.cwd);
  const manifest = await openManifest(input.manifest, context.cwd);
  const workspace = openWorkspace(context, manifest, undefined);
  const report = usable(await readBuildReport(workspace.report), manifest);
  const path =
    input.layout === undefined
      ? reportedLayout(report, manifest)
      : openWorkspace(context, manifest, input.layout).layout;
  const names =
    input.tag.length > 0 ? input.tag.map((tag) => resolveTag(manifest.value, tag)) : imageNames(manifest.value);
  const store = await openSource(context, { kind: "layout", path });
  try {
    const root = await builtRoot(context, store, report, manifest);
    const { digest, mediaType, size } = root.descriptor;
    const base = { dryRun: input.dryRun, digest, mediaType, size, layout: path };
    if (input.dryRun) {
      const tags = names.map(({ reference }) => ({ reference, digest, status: "planned" }) as const);
      return { ...base, status: "ok", tags, bytesSent: 0 };
    }
    const pushed = await pushAll(context, store, root, names);
    if (pushed.failures.length === 0) return { ...base, status: "ok", ...pushed.done };
    if (pushed.done.tags.every(({ status }) => status === "failed")) throw pushed.failures[0];
    return { ...base, status: "incomplete", ...pushed.done, resume: resumeCommand(input, manifest, pushed.done.tags) };
  } finally {
    await store.close();
  }
}

/** Who knows other tools names an image here: told apart from a file that is not there by what it looks like. */
async function refuseReference(name: string, cwd: string): Promise<void> {
  if (!/[:/]/.test(name) || /^[./~]|\.(?:ya?ml|json)$/i.test(name)) return;
  const isThere = await stat(resolve(cwd, name)).then(
    () => true,
    () => false,
  );
  if (isThere) return;
  throw new UsageError(`Cannot push ${name}: there is no such manifest`, {
    code: "invalid-manifest-file",
    hint: `push image takes a manifest: name the image with "--tag ${quoted(name)}", or use "library copy oci:.library/layout:TAG ${quoted(name)}"`,
  });
}

/** The report of a finished build of this very manifest; throws `build-missing` with the next step for any other. */
function usable(report: BuildReport | undefined, manifest: OpenedManifest): BuildReport & { readonly digest: Digest } {
  const problem =
    report === undefined
      ? "it was not built yet"
      : report.status === "running"
        ? "a build is running or was killed"
        : report.status === "failed"
          ? `the last build failed (${report.failure?.code ?? "unknown"})`
          : report.manifestDigest !== manifest.digest
            ? "the manifest was changed after the last build"
            : undefined;
  if (problem === undefined && report?.digest !== undefined) return { ...report, digest: report.digest };
  throw missing(manifest, problem ?? "its build report names no image");
}

async function builtRoot(
  context: Context,
  store: Store,
  report: { readonly digest: Digest },
  manifest: OpenedManifest,
): Promise<Manifest> {
  try {
    return await store.resolve(report.digest, context);
  } catch (cause) {
    if (!isLibraryError(cause, "not-found")) throw cause;
    throw missing(manifest, `${store.name} does not hold ${report.digest} any more`, cause);
  }
}

interface Group {
  readonly location: RegistryLocation;
  readonly names: readonly ImageName[];
}

async function pushAll(context: Context, store: Store, root: Manifest, names: readonly ImageName[]) {
  const { digest } = root.descriptor;
  const tags: PushedTag[] = [];
  const failures: unknown[] = [];
  let bytesSent = 0;
  for (const group of byRepository(names)) {
    try {
      const target = await openTarget(context, group.location);
      const image = { source: store, root, tags: group.names.map(({ tag }) => tag) };
      bytesSent += (await copyImages(context, [image], target, { referrers: "all" })).bytesSent;
      tags.push(...group.names.map(({ reference }) => ({ reference, digest, status: "pushed" }) as const));
    } catch (error) {
      // Only what is expected of a registry leaves the others a chance; an interruption or a bug ends everything
      if (!isLibraryError(error) || context.signal.aborted || error.exitStatus !== 3) throw error;
      failures.push(error);
      const { code, message } = error;
      const landed = group.names.length > 1 ? await landedTags(context, group, digest) : [];
      tags.push(
        ...group.names.map(
          ({ reference, tag }): PushedTag =>
            landed.includes(tag)
              ? { reference, digest, status: "pushed" }
              : { reference, digest, status: "failed", error: { code, message } },
        ),
      );
    }
  }
  return { done: { tags, bytesSent }, failures };
}

/** A registry takes tags one by one: those that point at the image although the push failed. */
async function landedTags(context: Context, { location, names }: Group, digest: Digest): Promise<readonly string[]> {
  const store = await openSource(context, location);
  try {
    const landed: string[] = [];
    for (const { tag } of names) {
      if ((await store.resolve(tag, context)).descriptor.digest === digest) landed.push(tag);
    }
    return landed;
  } catch (error) {
    if (!isLibraryError(error)) throw error;
    return []; // What cannot be asked counts as failed: pushing it again does no harm
  } finally {
    await store.close();
  }
}

function byRepository(names: readonly ImageName[]): readonly Group[] {
  const groups = new Map<string, { location: RegistryLocation; names: ImageName[] }>();
  for (const name of names) {
    const key = formatReference({ location: name.location });
    const group = groups.get(key) ?? { location: name.location, names: [] };
    group.names.push(name);
    groups.set(key, group);
  }
  return [...groups.values()];
}

function resumeCommand(input: PushImageInput, { file }: OpenedManifest, tags: readonly PushedTag[]): string {
  const failed = tags.filter(({ status }) => status === "failed");
  const flags = failed.map(({ reference }) => `--tag ${reference}`).join(" ");
  const layout = input.layout === undefined ? "" : ` --layout ${quoted(input.layout)}`;
  return `library push image ${quoted(file)}${layout} ${flags}`;
}

function quoted(text: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

function missing({ file }: OpenedManifest, problem: string, cause?: unknown): LibraryError {
  return new LibraryError("build-missing", `Cannot push the image of ${file}: ${problem}`, {
    hint: `Run "library build -m ${quoted(file)}", or "library append -m ${quoted(file)} --layer DIR:/prefix"`,
    cause,
  });
}
