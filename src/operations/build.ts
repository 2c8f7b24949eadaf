import { join } from "node:path";
import { buildArgv, displayArgv } from "../build/argv.ts";
import { type Builder, findBuilder, hasEngine } from "../build/builder.ts";
import { type Guarded, guard } from "../build/guardrail.ts";
import { type SecondOutput, secondOutput } from "../build/output.ts";
import type { BuildStage } from "../build/progress.ts";
import type { Context } from "../core/context.ts";
import { isLibraryError, ToolMissingError } from "../core/error.ts";
import type { Report } from "../core/report.ts";
import { shellWords } from "../core/shell-words.ts";
import { type OpenedManifest, openManifest } from "../manifest/open.ts";
import { buildPlatforms } from "../manifest/platforms.ts";
import { imageNames } from "../manifest/references.ts";
import type { Digest } from "../oci/digest.ts";
import { manifestLabels } from "./append-manifest.ts";
import { openWorkspace } from "./build-record.ts";
import { runBuild } from "./build-run.ts";
import { pinned } from "./open.ts";
import { sourceDate } from "./source-date.ts";

/** Which manifest to build, and what is passed on to buildx. */
export interface BuildInput {
  /** Default `.library.manifest.yaml`. */
  readonly manifest?: string | undefined;
  /** Another layout than the workspace's. */
  readonly layout?: string | undefined;
  readonly dryRun: boolean;
  /** Arguments for buildx, from behind `--`. */
  readonly passthrough?: readonly string[] | undefined;
}

/** What `build` would do, or did. */
export interface BuildOutcome extends Report {
  readonly dryRun: boolean;
  readonly builder: string;
  /** The commands, for people: values that may be secrets are not shown. */
  readonly commands: readonly string[];
  /** The layout's folder. */
  readonly layout: string;
  readonly tags: readonly string[];
  /** Of the image; absent in a dry run. */
  readonly image?: BuiltImage | undefined;
  readonly stages: readonly BuildStage[];
  readonly warnings: readonly string[];
}

/** What the build made. */
export interface BuiltImage {
  /** By digest. */
  readonly reference: string;
  readonly digest: Digest;
  readonly mediaType: string;
  /** Of the root manifest, in bytes. */
  readonly size: number;
}

/** Everything that a build needs to know, found out before anything is written. */
export interface BuildPlan {
  readonly manifest: OpenedManifest;
  readonly builder: string;
  readonly layout: string;
  readonly warnings: readonly string[];
  readonly second: Exclude<SecondOutput, { kind: "none" }> | undefined;
  /** The argv of an export, with the paths that it writes to. */
  argv(
    target: { readonly kind: "layout"; readonly path: string } | "second",
    metadataFile: string,
  ): readonly [string, ...string[]];
}

/**
 * The manifest's image lies in the workspace's layout after, built by buildx, checked, tagged as the manifest says; and
 * where `build.output` asks for more, that is made from the same cache. Throws `owned-flag`, `tool-missing` or
 * `tool-failed`; build.json tells of every build that was begun.
 */
export async function build(context: Context, input: BuildInput): Promise<BuildOutcome> {
  const plan = await planBuild(context, input);
  const tags = imageNames(plan.manifest.value).map(({ reference }) => reference);
  const base = { status: "ok", dryRun: input.dryRun, builder: plan.builder, layout: plan.layout, tags } as const;
  const shown = join(plan.manifest.directory, ".library", "build");
  const argvs = [
    plan.argv({ kind: "layout", path: join(shown, "layout") }, join(shown, "metadata.json")),
    ...(plan.second ? [plan.argv("second", join(shown, "metadata.json"))] : []),
  ];
  const commands = argvs.map(displayArgv);
  for (const message of plan.warnings) context.emit({ kind: "warning", code: "build-plan", message });
  if (input.dryRun) return { ...base, commands, stages: [], warnings: plan.warnings };
  const workspace = openWorkspace(context, plan.manifest, input.layout);
  const made = await runBuild(context, plan, workspace);
  const { digest, mediaType, size } = made.root.descriptor;
  const reference = pinned({ kind: "layout", path: plan.layout }, made.root);
  return {
    ...base,
    commands,
    image: { reference, digest, mediaType, size },
    stages: made.stages,
    warnings: [...plan.warnings, ...made.warnings],
  };
}

async function planBuild(context: Context, input: BuildInput): Promise<BuildPlan> {
  const manifest = await openManifest(input.manifest, context.cwd);
  const { build, config } = manifest.value;
  const written = guard(shellWords(build.options, "build.options"), config.policy, "build.options");
  const given = guard(input.passthrough ?? [], config.policy, "the arguments behind --");
  const guarded: Guarded = {
    flags: [...written.flags, ...given.flags],
    warnings: [...written.warnings, ...given.warnings],
  };
  const wanted = secondOutput(build.output, manifest.directory);
  const builder = await findBuilder(context.run, context).catch((error: unknown) => plannedBuilder(error, input));
  const notice = await refuseOrSkipDocker(context, manifest, wanted, input);
  const second = wanted.kind === "none" || notice !== undefined ? undefined : wanted;
  const now = new Date(Math.floor(context.now().getTime() / 1000) * 1000);
  const dates = { created: sourceDate(context), now };
  const labels = await manifestLabels(context, manifest, dates);
  return {
    manifest,
    builder: builder.version,
    layout: openWorkspace(context, manifest, input.layout).layout,
    warnings: notice === undefined ? guarded.warnings : [...guarded.warnings, notice],
    second,
    argv: (target, metadataFile) =>
      buildArgv({
        command: builder.command,
        dockerfile: manifest.dockerfilePath,
        context: manifest.contextPath,
        tags: imageNames(manifest.value).map(({ reference }) => reference),
        platforms: buildPlatforms(manifest.value),
        labels,
        flags: guarded.flags,
        metadataFile,
        export: target === "second" ? (second ?? { kind: "other", output: build.output }) : target,
      }),
  };
}

/** A plan can be shown where it cannot be carried out: as it would be with Docker's builder. */
function plannedBuilder(error: unknown, { dryRun }: BuildInput): Builder {
  if (!dryRun || !isLibraryError(error, "tool-missing")) throw error;
  return { command: ["docker", "buildx"], version: "none found" };
}

/**
 * A Docker image needs an engine to load it into, and holds one platform. Where the manifest only has the default, it is
 * left out with a notice; where the manifest asks for it in so many words, `tool-missing` is thrown, but not for a plan.
 */
async function refuseOrSkipDocker(
  context: Context,
  manifest: OpenedManifest,
  wanted: SecondOutput,
  { dryRun }: BuildInput,
): Promise<string | undefined> {
  if (wanted.kind !== "docker") return undefined;
  const isDemanded = manifest.isWritten(["build", "output"]);
  if (!isDemanded && buildPlatforms(manifest.value).length > 1) {
    return "The image is not loaded into Docker: it has several platforms, and build.output is only the default";
  }
  if (await hasEngine(context.run, context)) return undefined;
  if (!isDemanded)
    return "The image is not loaded into Docker: no engine answers, and build.output is only the default";
  if (dryRun) return undefined;
  throw new ToolMissingError("Cannot build: build.output asks for type=docker, and no Docker engine answers", {
    hint: 'Start Docker, or write "type=oci" as build.output of the manifest',
  });
}
