import { stat } from "node:fs/promises";
import type { Context } from "../core/context.ts";
import { UsageError } from "../core/error.ts";
import { gitFacts } from "../git/facts.ts";
import { imageAnnotations } from "../manifest/annotations.ts";
import { type OpenedManifest, openManifest } from "../manifest/open.ts";
import { buildPlatforms } from "../manifest/platforms.ts";
import { imageNames } from "../manifest/references.ts";
import type { Annotations } from "../oci/annotations.ts";
import {
  formatPlatform,
  matchesPlatform,
  type Platform,
  type PlatformPattern,
  parsePlatform,
} from "../oci/platform.ts";
import { type AppendInput, type AppendReport, makeImage, refuseUnusedLayers, requireChange } from "./append.ts";
import { layoutName, openWorkspace, recordBuild } from "./build-record.ts";
import { sourceDate } from "./source-date.ts";

/**
 * The image lies where `build` would have put it: in the workspace of the manifest, with its tags, labels, annotations
 * and build.json. Settings given on the command line go before those of the manifest.
 */
export async function appendManifest(context: Context, input: AppendInput): Promise<AppendReport> {
  if (input.output !== undefined || input.tag.length > 0) {
    throw new UsageError("Cannot append: with --manifest, the manifest says where the image goes and its tags", {
      hint: "Leave --output and --tag out, or leave --manifest out",
    });
  }
  requireChange(input);
  const manifest = await openManifest(input.manifest, context.cwd);
  const platform = chosenPlatforms(manifest, input.platform);
  if (input.base === "scratch") refuseUnusedLayers(input, platform);
  await warnOfDockerfile(context, manifest);
  const created = sourceDate(context) ?? writtenDate(manifest) ?? new Date(0);
  const labels = await manifestLabels(context, manifest, { created });
  const workspace = openWorkspace(context, manifest, input.layout);
  const edits = { ...input.edits, labels: { ...labels, ...input.edits.labels } };
  const annotations = { ...labels, ...input.annotations };
  const tags = imageNames(manifest.value).map(layoutName);
  const destination = { location: { kind: "layout", path: workspace.layout }, tags } as const;
  return recordBuild(context, { workspace, builder: "append", manifest }, () =>
    makeImage(context, { ...input, platform, edits, annotations }, created, destination),
  );
}

/** Those of the manifest that are asked for, or all; throws `invalid-platform` for one that it does not name. */
function chosenPlatforms({ value, file }: OpenedManifest, asked: readonly PlatformPattern[]): readonly Platform[] {
  const named = buildPlatforms(value).map(parsePlatform);
  const absent = asked.find((pattern) => !named.some((platform) => matchesPlatform(platform, pattern)));
  if (absent !== undefined) {
    const there = named.map(formatPlatform).join(", ");
    throw new UsageError(`Cannot append for ${formatPlatform(absent)}: ${file} names ${there}`, {
      code: "invalid-platform",
      hint: "Add it to build.platforms of the manifest, or leave --platform out",
    });
  }
  return asked.length === 0
    ? named
    : named.filter((platform) => asked.some((pattern) => matchesPlatform(platform, pattern)));
}

/** Who has a Dockerfile may think that append reads it. */
async function warnOfDockerfile(context: Context, { value, dockerfilePath }: OpenedManifest): Promise<void> {
  // Whatever the reason that it cannot be seen, nothing of it is used
  const found = await stat(dockerfilePath).catch(() => undefined);
  if (!found?.isFile()) return;
  const message = `append does not read ${value.build.file}: its FROM, ENTRYPOINT and USER are not used; give --base, --entrypoint and --user`;
  context.emit({ kind: "warning", code: "dockerfile-unused", message });
}

/**
 * The labels of a manifest's image, which are its annotations too. Where the manifest says no revision, that of the git
 * repository around it is taken; where it says another one, a warning `stale-revision` is emitted.
 */
export async function manifestLabels(
  context: Context,
  manifest: OpenedManifest,
  dates: { readonly created?: Date | undefined; readonly now?: Date | undefined },
): Promise<Annotations> {
  const { revision } = await gitFacts(manifest.directory, { home: context.state.home, env: context.env });
  const written = manifest.value.metadata.discovery.revision;
  if (written !== "unknown" && revision !== "unknown" && !isRevision(written, revision)) {
    const message = `${manifest.file} says revision ${written}, and HEAD is ${revision}: remove metadata.discovery.revision to have it taken from git`;
    context.emit({ kind: "warning", code: "stale-revision", message });
  }
  return imageAnnotations(manifest.value, { ...dates, revision });
}

/** Whether it is the commit, in full or as its first seven digits or more. */
function isRevision(written: string, head: string): boolean {
  return written.length >= 7 && head.startsWith(written.toLowerCase());
}

/** The date that the manifest itself gives. */
export function writtenDate({ value }: OpenedManifest): Date | undefined {
  const { created } = value.metadata.discovery;
  return created === undefined ? undefined : new Date(created);
}
