import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { parseMetadata } from "../build/metadata.ts";
import { type BuildProgress, type BuildStage, followBuild } from "../build/progress.ts";
import type { Workspace } from "../build/workspace.ts";
import type { Context } from "../core/context.ts";
import { LibraryError } from "../core/error.ts";
import { imageNames } from "../manifest/references.ts";
import { isIndex, type Manifest } from "../oci/manifest.ts";
import type { Store } from "../store/store.ts";
import type { BuildPlan } from "./build.ts";
import { type BuildDetails, layoutName, recordBuild } from "./build-record.ts";
import { copyImages } from "./copy.ts";
import { openSource, openTarget } from "./open.ts";
import { withTemporaryFolder } from "./temporary-folder.ts";

/** What a build made. */
export interface RunBuild {
  readonly root: Manifest;
  readonly stages: readonly BuildStage[];
  readonly warnings: readonly string[];
}

/**
 * Carries a plan out: exports into a temporary layout, checks it against buildx's metadata, copies it into the
 * workspace's layout in one transaction, then makes the second export from the same cache.
 */
export async function runBuild(context: Context, plan: BuildPlan, workspace: Workspace): Promise<RunBuild> {
  await requireInputs(plan);
  return recordBuild(context, { workspace, builder: plan.builder, manifest: plan.manifest }, (details) =>
    withTemporaryFolder(workspace.folder, async (temporary) => {
      const stages: BuildStage[] = [];
      const warnings: string[] = [];
      const runOne = async (argv: readonly [string, ...string[]]): Promise<void> => {
        const progress = followBuild((event) => context.emit(event));
        try {
          await runBuildx(context, plan, argv, progress, details);
        } finally {
          stages.push(...progress.stages());
          warnings.push(...progress.warnings());
          details.stages = stages.map(({ duration, ...stage }) =>
            duration === undefined ? stage : { ...stage, duration },
          );
          details.warnings = [...plan.warnings, ...warnings];
        }
      };
      const path = join(temporary, "layout");
      const metadata = join(temporary, "metadata.json");
      await runOne(plan.argv({ kind: "layout", path }, metadata));
      const root = await takeOver(context, plan, workspace, path, metadata);
      if (plan.second) await runOne(plan.argv("second", join(temporary, "second.json")));
      return { ...root.descriptor, root, stages, warnings };
    }),
  );
}

/** buildx would say this too, after it had sent the context. */
async function requireInputs({ manifest }: BuildPlan): Promise<void> {
  const folder = await stat(manifest.contextPath).catch(() => undefined);
  const file = await stat(manifest.dockerfilePath).catch(() => undefined);
  const [path, key, what] = !folder?.isDirectory()
    ? [manifest.contextPath, "context", "folder"]
    : [manifest.dockerfilePath, "file", "file"];
  if (folder?.isDirectory() && file?.isFile()) return;
  const { line } = manifest.at(["build", key]);
  throw new LibraryError("invalid-input", `Cannot build: there is no ${what} ${path}`, {
    hint: `Make it, or correct build.${key} in ${manifest.file}${line === undefined ? "" : `:${line}`}`,
  });
}

async function runBuildx(
  context: Context,
  plan: BuildPlan,
  argv: readonly [string, ...string[]],
  progress: BuildProgress,
  details: BuildDetails,
): Promise<void> {
  context.emit({ kind: "debug", message: `running ${argv[0]} in ${plan.manifest.directory}` });
  const { status } = await context.run(argv, {
    cwd: plan.manifest.directory,
    signal: context.signal,
    onStderrLine: (line) => progress.line(line),
  });
  if (status === 0) return;
  const tail = progress.tail();
  details.exitStatus = status;
  details.tail = tail;
  const last = tail.at(-1);
  throw new LibraryError("tool-failed", `Cannot build: buildx ended with status ${status}${last ? `: ${last}` : ""}`, {
    hint: `Read the last lines of the step that failed in ${join(plan.manifest.directory, ".library", "build.json")}`,
  });
}

/** What buildx exported is in the workspace's layout after, under the manifest's tags, every byte checked. */
async function takeOver(
  context: Context,
  plan: BuildPlan,
  workspace: Workspace,
  path: string,
  metadataFile: string,
): Promise<Manifest> {
  const { digest } = parseMetadata(await readExport(metadataFile));
  const store = await openSource(context, { kind: "layout", path });
  try {
    const root = await exportedRoot(context, store);
    if (root.descriptor.digest !== digest) {
      throw new LibraryError(
        "digest-mismatch",
        `Cannot accept the build: buildx says ${digest}, its layout holds ${root.descriptor.digest}`,
      );
    }
    const tags = [...new Set(imageNames(plan.manifest.value).map(layoutName))];
    const target = await openTarget(context, { kind: "layout", path: workspace.layout });
    await copyImages(context, [{ source: store, root, tags }], target, { referrers: "all" });
    return root;
  } finally {
    await store.close();
  }
}

/** The one manifest that the layout's names point at; an index is preferred to what it holds. */
async function exportedRoot(context: Context, store: Store): Promise<Manifest> {
  const found = new Map<string, Manifest>();
  for await (const { descriptor } of store.list(context)) {
    if (descriptor === undefined || found.has(descriptor.digest)) continue;
    const manifest = await store.manifest(descriptor, context);
    if (manifest.value.subject === undefined) found.set(descriptor.digest, manifest);
  }
  const manifests = [...found.values()];
  const root = manifests.find(({ value }) => isIndex(value)) ?? manifests[0];
  if (root) return root;
  throw new LibraryError("tool-failed", "Cannot accept the build: buildx exported no image", {
    hint: "Update buildx and BuildKit: an export of type=oci,tar=false is needed",
  });
}

async function readExport(path: string): Promise<Uint8Array> {
  return readFile(path).catch((cause: unknown) => {
    throw new LibraryError("tool-failed", "Cannot accept the build: buildx wrote no metadata file", {
      hint: "Update buildx: 0.12 or newer is needed",
      cause,
    });
  });
}
