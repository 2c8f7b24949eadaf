import type { Context } from "../core/context.ts";
import { UsageError } from "../core/error.ts";
import { gitFacts } from "../git/facts.ts";
import { imageAnnotations } from "../manifest/annotations.ts";
import { type OpenedManifest, openManifest } from "../manifest/open.ts";
import { buildPlatforms } from "../manifest/platforms.ts";
import { imageNames } from "../manifest/references.ts";
import type { Annotations } from "../oci/annotations.ts";
import { parsePlatform } from "../oci/platform.ts";
import { type AppendInput, type AppendReport, makeImage } from "./append.ts";
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
  const manifest = await openManifest(input.manifest, context.cwd);
  const created = sourceDate(context) ?? writtenDate(manifest) ?? new Date(0);
  const labels = await manifestLabels(context, manifest, { created });
  const workspace = openWorkspace(context, manifest, input.layout);
  const platform = input.platform.length > 0 ? input.platform : buildPlatforms(manifest.value).map(parsePlatform);
  const edits = { ...input.edits, labels: { ...labels, ...input.edits.labels } };
  const annotations = { ...labels, ...input.annotations };
  const tags = imageNames(manifest.value).map(layoutName);
  const destination = { location: { kind: "layout", path: workspace.layout }, tags } as const;
  return recordBuild(context, { workspace, builder: "append", manifest }, () =>
    makeImage(context, { ...input, platform, edits, annotations }, created, destination),
  );
}

/**
 * The labels of a manifest's image, which are its annotations too. Where the manifest's revision is `unknown`, that of
 * the git repository around it is taken.
 */
export async function manifestLabels(
  context: Context,
  manifest: OpenedManifest,
  dates: { readonly created?: Date | undefined; readonly now?: Date | undefined },
): Promise<Annotations> {
  const isKnown = manifest.value.metadata.discovery.revision !== "unknown";
  const { revision } = isKnown
    ? { revision: undefined }
    : await gitFacts(manifest.directory, { home: context.state.home, env: context.env });
  return imageAnnotations(manifest.value, { ...dates, revision });
}

/** The date that the manifest itself gives. */
export function writtenDate({ value }: OpenedManifest): Date | undefined {
  const { created } = value.metadata.discovery;
  return created === undefined ? undefined : new Date(created);
}
