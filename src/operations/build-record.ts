import { relative, resolve } from "node:path";
import { type BuildReport, writeBuildReport } from "../build/report.ts";
import { type Workspace, workspaceOf } from "../build/workspace.ts";
import type { Context } from "../core/context.ts";
import { isLibraryError } from "../core/error.ts";
import type { OpenedManifest } from "../manifest/open.ts";
import { type ImageName, imageNames } from "../manifest/references.ts";
import type { Descriptor } from "../oci/descriptor.ts";

/** What the report takes from the build while it is made; the builder fills it. */
export interface BuildDetails {
  stages: BuildReport["stages"];
  warnings: readonly string[];
  tail: readonly string[];
  /** Of the outside builder, where one ran. */
  exitStatus: number | undefined;
}

/** What a build that is being recorded is about. */
export interface RecordedBuild {
  readonly workspace: Workspace;
  readonly builder: string;
  readonly manifest: OpenedManifest;
}

/**
 * Runs `body`, which makes the manifest's image, with `.library/build.json` saying so: written first as `running`, then
 * with the result or the failure, which is thrown on. A build that was killed stays `running`.
 */
export async function recordBuild<T extends Pick<Descriptor, "digest" | "mediaType" | "size">>(
  context: Context,
  build: RecordedBuild,
  body: (details: BuildDetails) => Promise<T>,
): Promise<T> {
  const { workspace, manifest } = build;
  const started = context.now();
  const details: BuildDetails = { stages: [], warnings: [], tail: [], exitStatus: undefined };
  const base: BuildReport = {
    schemaVersion: 1,
    status: "running",
    builder: build.builder,
    manifestDigest: manifest.digest,
    layout: portable(workspace.layout, manifest.directory),
    tags: imageNames(manifest.value).map((name) => ({ name: layoutName(name), reference: name.reference })),
    startedAt: started.toISOString(),
    stages: [],
    warnings: [],
  };
  const write = (report: BuildReport) => writeBuildReport(workspace.report, report, context.random);
  const ended = (): Partial<BuildReport> => ({
    duration: Math.max(0, context.now().getTime() - started.getTime()),
    stages: [...details.stages],
    warnings: [...details.warnings],
  });
  await write(base);
  try {
    const made = await body(details);
    const { digest, mediaType, size } = made;
    await write({ ...base, ...ended(), status: "ok", digest, mediaType, size });
    return made;
  } catch (error) {
    const code = isLibraryError(error) ? error.code : context.signal.aborted ? "interrupted" : "internal";
    const message = error instanceof Error ? error.message : String(error);
    const exitStatus = details.exitStatus === undefined ? {} : { exitStatus: details.exitStatus };
    const failure = { code, message, ...exitStatus, tail: [...details.tail] };
    // The failure of the build is what matters, also where the report cannot be written any more
    await write({ ...base, ...ended(), status: "failed", failure }).catch((cause: unknown) => {
      const said = cause instanceof Error ? cause.message : String(cause);
      context.emit({ kind: "warning", code: "report-lost", message: said });
    });
    throw error;
  }
}

/** The name of an image in the workspace's layout: as the manifest says it, in full where it says it in full. */
export function layoutName({ entry, reference, tag }: ImageName): string {
  return entry === tag ? tag : reference;
}

/** The workspace of a manifest with the layout that the user chose, counted from the current folder. */
export function openWorkspace(context: Context, manifest: OpenedManifest, layout: string | undefined): Workspace {
  return workspaceOf(manifest.directory, layout, context.cwd);
}

/** The layout of a report, absolute. */
export function reportedLayout(report: BuildReport, manifest: OpenedManifest): string {
  return resolve(manifest.directory, report.layout);
}

function portable(path: string, directory: string): string {
  const way = relative(directory, path);
  return way === ".." || way.startsWith("../") ? path : way;
}
