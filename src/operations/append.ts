import { stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import type { Context } from "../core/context.ts";
import { UsageError } from "../core/error.ts";
import type { Report } from "../core/report.ts";
import { type Appended, append as assemble, type Base, type BaseImage } from "../image/append.ts";
import { appendSteps } from "../image/append-steps.ts";
import { type ConfigEdits, isGiven } from "../image/config.ts";
import { type Layer, makeLayer } from "../image/layer.ts";
import { requireLayerKind } from "../image/layer-kind.ts";
import type { LayerSpec } from "../image/layer-spec.ts";
import { defaultManifestPath } from "../manifest/defaults.ts";
import type { Annotations } from "../oci/annotations.ts";
import { parseConfig } from "../oci/config.ts";
import type { Digest } from "../oci/digest.ts";
import { isIndex, type Manifest } from "../oci/manifest.ts";
import {
  formatPlatform,
  isExactPlatform,
  isUnknownPlatform,
  matchesPlatform,
  type Platform,
  type PlatformPattern,
} from "../oci/platform.ts";
import { formatReference, isTag, type Location, type Reference } from "../oci/reference.ts";
import { copy } from "../store/copy.ts";
import { platformMembers, selectPlatforms } from "../store/select-platforms.ts";
import type { Store } from "../store/store.ts";
import type { Compression } from "../tar/codec.ts";
import { openSource, openTarget } from "./open.ts";
import { sourceDate } from "./source-date.ts";
import { withTemporaryFolder } from "./temporary-folder.ts";

/** What the image is made of; where it goes is `AppendInput`'s. */
export interface ImageParts {
  readonly base: Reference | "scratch";
  readonly layer: readonly LayerSpec[];
  readonly edits: ConfigEdits;
  readonly annotations: Annotations;
  /** None: all of the base, or linux/amd64 from scratch. */
  readonly platform: readonly PlatformPattern[];
  readonly compression: Compression;
}

/** What to append and where it goes: to a place, or where a manifest says. */
export interface AppendInput extends Omit<ImageParts, "edits" | "annotations"> {
  readonly edits: ConfigEdits;
  readonly annotations: Annotations;
  /** A place to put the image. One of `output` and `manifest` is given. */
  readonly output?: Reference | undefined;
  /** A library manifest: the image lands where `build` would put it. */
  readonly manifest?: string | undefined;
  /** With a manifest: another layout than the workspace's. */
  readonly layout?: string | undefined;
  /** Further tags at the output. */
  readonly tag: readonly string[];
}

/** One platform of the result. */
export interface AppendedPlatform {
  readonly platform: string;
  readonly digest: Digest;
  /** Digests of all layers, the base's first. */
  readonly layers: readonly Digest[];
  /** Of the new layers. */
  readonly diffIds: readonly Digest[];
}

/** The image that was made. */
export interface AppendReport extends Report {
  /** By digest. */
  readonly reference: string;
  readonly digest: Digest;
  readonly mediaType: string;
  /** Of the root manifest, in bytes. */
  readonly size: number;
  readonly tags: readonly string[];
  readonly images: readonly AppendedPlatform[];
  /** Bytes that were moved to the output. */
  readonly bytesSent: number;
}

/**
 * An image of the base, the layers and the settings is at its place after, made without a builder. Equal input and an
 * equal `SOURCE_DATE_EPOCH` (1970-01-01 where it is not set) give an equal image.
 */
export async function append(context: Context, input: AppendInput): Promise<AppendReport> {
  // Before a base is fetched or a build report is written: a slip of the finger must not cost the last good build
  for (const { path } of input.layer) await requireLayerKind(path, context.cwd);
  if (input.manifest !== undefined) return (await import("./append-manifest.ts")).appendManifest(context, input);
  const { output } = input;
  if (output === undefined) {
    throw new UsageError("Cannot append: neither --output nor --manifest says where the image goes", {
      hint: (await hasManifest(context))
        ? `Give "-m ${defaultManifestPath}" to make the image of that manifest, or -o, as "-o oci:dist:1.0"`
        : 'Give -o, as "-o oci:dist:1.0", or -m with a library manifest',
    });
  }
  refuseUnusable(input, output);
  const given = [...new Set([...(output.tag === undefined ? [] : [output.tag]), ...input.tag])];
  const tags = given.length === 0 && output.location.kind === "registry" ? ["latest"] : given;
  return makeImage(context, input, sourceDate(context) ?? new Date(0), { location: output.location, tags });
}

async function hasManifest({ cwd }: Context): Promise<boolean> {
  const found = await stat(resolve(cwd, defaultManifestPath)).catch(() => undefined);
  return found?.isFile() ?? false;
}

/** Where an image that was put together goes. */
export interface Destination {
  readonly location: Location;
  readonly tags: readonly string[];
}

/** Makes the image of `parts` as of `created`, and puts it at its destination in one transaction. */
export async function makeImage(
  context: Context,
  parts: ImageParts,
  created: Date,
  { location, tags }: Destination,
): Promise<AppendReport> {
  const near = location.kind === "registry" ? undefined : dirname(resolve(context.cwd, location.path));
  return withTemporaryFolder(near, async (temporary) => {
    const store = parts.base === "scratch" ? undefined : await openSource(context, parts.base.location);
    try {
      const base =
        store && parts.base !== "scratch" ? await openBase(context, store, parts.base, parts.platform) : undefined;
      refuseUnusedLayers(parts, base?.images.map(({ platform }) => platform) ?? scratchPlatforms(parts.platform));
      const layers = await makeLayers(context, parts, created, temporary);
      const appended = assemble({
        base: base ?? { platforms: scratchPlatforms(parts.platform) },
        layers,
        edits: parts.edits,
        annotations: parts.annotations,
        created: created.toISOString().replace(".000Z", "Z"),
      });
      const target = await openTarget(context, location);
      const entries =
        tags.length === 0 ? [{ manifest: appended.root }] : tags.map((tag) => ({ manifest: appended.root, tag }));
      const options = { entries, concurrency: context.network.concurrency };
      const { bytesSent } = await copy(appendSteps(appended, layers, store), target, options, context);
      const { digest, mediaType, size } = appended.root.descriptor;
      const reference = formatReference({ location, digest });
      return { status: "ok", reference, digest, mediaType, size, tags, images: platformsOf(appended), bytesSent };
    } finally {
      await store?.close();
    }
  });
}

/** Throws `usage` for what the output cannot be, and where the result would be the base itself. */
function refuseUnusable(input: AppendInput, output: Reference): void {
  const { layout, tag } = input;
  if (output.digest !== undefined || layout !== undefined) {
    throw new UsageError(
      `Cannot append to ${formatReference(output)}: ${layout === undefined ? "its digest is not known before" : "--layout is for --manifest"}`,
      {
        hint: `Write "-o ${formatReference({ location: output.location, tag: output.tag ?? "latest" })}"`,
      },
    );
  }
  const wrong = output.location.kind === "registry" ? tag.find((name) => !isTag(name)) : undefined;
  if (wrong !== undefined) {
    throw new UsageError(`Cannot append with --tag ${JSON.stringify(wrong.slice(0, 160))}: not a tag`, {
      hint: 'Write the tag alone, as "1.2"',
    });
  }
  requireChange(input);
}

/** Throws `usage` where there is neither a layer nor a setting. */
export function requireChange({ layer, edits, annotations }: AppendInput): void {
  const edited = Object.entries({ ...edits, annotations }).some(([name, value]) => isGiven(name, value));
  if (layer.length > 0 || edited) return;
  throw new UsageError("Cannot append: neither a layer nor a setting is given", {
    hint: 'Give at least one --layer, or copy the base with "library copy"',
  });
}

async function makeLayers(
  context: Context,
  parts: ImageParts,
  created: Date,
  temporary: string,
): Promise<readonly Layer[]> {
  const layers: Layer[] = [];
  for (const [index, spec] of parts.layer.entries()) {
    const name = `layer ${spec.path}${spec.prefix === "" ? "" : ` at /${spec.prefix}`}`;
    const began = context.now().getTime();
    context.emit({ kind: "step", state: "started", name });
    const options = {
      compression: parts.compression,
      mtime: Math.floor(created.getTime() / 1000),
      prefixFolders: parts.base === "scratch",
      temporary,
      fileName: `layer-${index}`,
    };
    layers.push(await makeLayer({ ...spec, path: resolve(context.cwd, spec.path) }, options, context));
    context.emit({ kind: "step", state: "finished", name, duration: Math.max(0, context.now().getTime() - began) });
  }
  return layers;
}

/** Throws `invalid-platform` for a layer that is for a platform which the result has not. */
export function refuseUnusedLayers({ layer }: Pick<ImageParts, "layer">, platforms: readonly Platform[]): void {
  const unused = layer.find(({ platform }) => platform && !platforms.some((there) => matchesPlatform(there, platform)));
  if (unused?.platform === undefined) return;
  const there = platforms.map(formatPlatform).join(", ");
  throw new UsageError(
    `Cannot add layer ${unused.path} for ${formatPlatform(unused.platform)}: the image has ${there}`,
    {
      code: "invalid-platform",
      hint: "Give --platform for each, or correct the platform before the =",
    },
  );
}

async function openBase(
  context: Context,
  store: Store,
  reference: Reference,
  platforms: readonly PlatformPattern[],
): Promise<Base> {
  const whole = await store.resolve(reference.digest ?? reference.tag, context);
  const { root, source } = await selectPlatforms(store, whole, platforms, context);
  const members = await platformMembers(source, root, context);
  const images: BaseImage[] = [];
  for (const { descriptor, platform } of members) {
    const manifest = await source.manifest(descriptor, context);
    if (isIndex(manifest.value)) continue;
    const bytes = await source.bytes("blob", manifest.value.config, 4 * 1024 ** 2, context);
    images.push({ manifest, config: parseConfig(bytes, `config ${manifest.value.config.digest}`), platform });
  }
  const [first, ...others] = images;
  if (first === undefined) {
    throw new UsageError(`Cannot append to ${formatReference(reference)}: it holds no image`, {
      code: "invalid-input",
      hint: "Name an image, not an artifact, with --base",
    });
  }
  warnOfAttestations(context, whole);
  const { location, tag } = reference;
  // A path on this machine is no name that others could use
  const name =
    location.kind === "registry" ? formatReference({ location, ...(tag === undefined ? {} : { tag }) }) : undefined;
  return { images: [first, ...others], root: root.descriptor.digest, name };
}

/** They speak of the base's manifests, which are not part of the new image. */
function warnOfAttestations(context: Context, { value }: Manifest): void {
  if (!isIndex(value)) return;
  const count = value.manifests.filter(({ platform }) => platform && isUnknownPlatform(platform)).length;
  if (count === 0) return;
  const message = `${count} attestation${count === 1 ? "" : "s"} of the base left out: they are not about the new image`;
  context.emit({ kind: "warning", code: "attestations-dropped", message });
}

/** Exact platforms; linux/amd64 where none is asked for, as in a library manifest. */
function scratchPlatforms(patterns: readonly PlatformPattern[]): readonly [Platform, ...Platform[]] {
  const vague = patterns.find((pattern) => !isExactPlatform(pattern));
  if (vague) {
    throw new UsageError(`Cannot make an image for ${formatPlatform(vague)} from scratch: not one platform`, {
      code: "invalid-platform",
      hint: 'Write it as "linux/amd64"',
    });
  }
  const [first, ...others] = new Map(patterns.map((platform) => [formatPlatform(platform), platform])).values();
  return [first ?? { os: "linux", architecture: "amd64" }, ...others];
}

function platformsOf(appended: Appended): readonly AppendedPlatform[] {
  return appended.images.map(({ platform, manifest, layers, diffIds }) => ({
    platform: formatPlatform(platform),
    digest: manifest.descriptor.digest,
    layers: layers.map(({ digest }) => digest),
    diffIds,
  }));
}
