import type { Context } from "../core/context.ts";
import { isLibraryError, UnsupportedError } from "../core/error.ts";
import type { Report } from "../core/report.ts";
import type { Annotations } from "../oci/annotations.ts";
import { type ImageConfig, parseConfig } from "../oci/config.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import type { Digest } from "../oci/digest.ts";
import { edges, effectiveArtifactType } from "../oci/edges.ts";
import { isIndex, type Manifest } from "../oci/manifest.ts";
import { isImageConfigType, isManifestType } from "../oci/media-type.ts";
import { formatPlatform, type PlatformPattern } from "../oci/platform.ts";
import type { Reference } from "../oci/reference.ts";
import { limiter } from "../store/limit.ts";
import type { Store } from "../store/store.ts";
import { pinned, withReference } from "./open.ts";

/** What to look at, and in which form. */
export interface InspectInput {
  readonly reference: Reference;
  readonly platform: readonly PlatformPattern[];
  /** Standard output is the manifest's bytes. */
  readonly raw: boolean;
  /** Standard output is the config's bytes. */
  readonly config: boolean;
}

/** A blob or a manifest that is pointed at. */
export interface InspectedContent {
  readonly mediaType: string;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  readonly annotations?: Annotations | undefined;
}

/** A member of an index. */
export interface InspectedMember extends InspectedContent {
  readonly platform?: string | undefined;
  readonly artifactType?: string | undefined;
  /** Bytes of the config and all layers together; absent where the member is not an image or not there. */
  readonly contentSize?: number | undefined;
}

/** What a reference names: an index, an image or another artifact. */
export interface InspectReport extends Report {
  /** By digest. */
  readonly reference: string;
  readonly mediaType: string;
  readonly digest: Digest;
  /** Of the manifest, in bytes. */
  readonly size: number;
  readonly artifactType?: string | undefined;
  readonly annotations?: Annotations | undefined;
  readonly subject?: InspectedContent | undefined;
  /** Of an index. */
  readonly members?: readonly InspectedMember[] | undefined;
  /** Of an image or artifact. */
  readonly layers?: readonly InspectedContent[] | undefined;
  /** Of an image. */
  readonly image?: InspectedImage | undefined;
}

/** What an image's configuration says. */
export interface InspectedImage {
  /** Absent where the configuration leaves it empty, as artifacts that pose as images do. */
  readonly platform?: string | undefined;
  readonly created?: string | undefined;
  readonly entrypoint?: readonly string[] | undefined;
  readonly cmd?: readonly string[] | undefined;
  readonly env?: readonly string[] | undefined;
  readonly workdir?: string | undefined;
  readonly user?: string | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly diffIds: readonly string[];
}

/** The largest configuration that is read. */
const maxConfigBytes = 8 * 1024 * 1024;

/**
 * What the reference names, described with what it points at; with `raw` or `config` the bytes themselves went to
 * standard output, and nothing further was asked for.
 */
export async function inspect(context: Context, input: InspectInput): Promise<InspectReport> {
  return withReference(context, input.reference, input.platform, async ({ store, root }) => {
    const common = describeRoot(root, pinned(input.reference.location, root));
    if (input.raw) await context.terminal.writeStdout(root.bytes);
    else if (input.config) await context.terminal.writeStdout(await configBytes(context, store, root));
    else return { ...common, ...(await describeContent(context, store, root)) };
    return common;
  });
}

async function configBytes(context: Context, store: Store, root: Manifest): Promise<Uint8Array> {
  if (isIndex(root.value)) {
    throw new UnsupportedError(`Cannot show a config of ${root.descriptor.digest}: it is an index`, {
      code: "unsupported-content",
      hint: "Choose one image with --platform",
    });
  }
  return store.bytes("blob", root.value.config, maxConfigBytes, context);
}

function describeRoot({ descriptor, value }: Manifest, reference: string): InspectReport {
  return {
    status: "ok",
    reference,
    mediaType: descriptor.mediaType,
    digest: descriptor.digest,
    size: descriptor.size,
    artifactType: value.artifactType,
    annotations: value.annotations,
    subject: value.subject ? content(value.subject) : undefined,
  };
}

async function describeContent(context: Context, store: Store, root: Manifest): Promise<Partial<InspectReport>> {
  const { value } = root;
  if (isIndex(value)) {
    const limit = limiter(context.network.concurrency);
    const members = value.manifests.map((entry) => limit(() => member(context, store, entry)));
    return { members: await Promise.all(members) };
  }
  const isImage = isImageConfigType(value.config.mediaType) && value.artifactType === undefined;
  return {
    artifactType: isImage ? undefined : effectiveArtifactType(root),
    layers: value.layers.map(content),
    image: isImage ? image(parseConfig(await configBytes(context, store, root), value.config.digest)) : undefined,
  };
}

async function member(context: Context, store: Store, entry: Descriptor): Promise<InspectedMember> {
  const manifest = isManifestType(entry.mediaType) ? await presentManifest(context, store, entry) : undefined;
  return {
    ...content(entry),
    platform: entry.platform ? formatPlatform(entry.platform) : undefined,
    artifactType: entry.artifactType,
    contentSize: manifest && !isIndex(manifest.value) ? contentSize(manifest) : undefined,
  };
}

/** Undefined where the place lacks it, as an index may name more than was copied. */
async function presentManifest(context: Context, store: Store, entry: Descriptor): Promise<Manifest | undefined> {
  try {
    return await store.manifest(entry, context);
  } catch (error) {
    if (isLibraryError(error, "blob-missing")) return undefined;
    throw error;
  }
}

function contentSize(manifest: Manifest): number {
  return edges(manifest)
    .filter(({ role }) => role === "config" || role === "layer")
    .reduce((sum, { descriptor }) => sum + descriptor.size, 0);
}

function content({ mediaType, digest, size, annotations }: Descriptor): InspectedContent {
  return { mediaType, digest, size, annotations };
}

function image(config: ImageConfig): InspectedImage {
  const run = config.config;
  return {
    platform: config.os && config.architecture ? formatPlatform(config) : undefined,
    created: config.created,
    entrypoint: run?.Entrypoint ?? undefined,
    cmd: run?.Cmd ?? undefined,
    env: run?.Env ?? undefined,
    workdir: run?.WorkingDir || undefined,
    user: run?.User || undefined,
    labels: run?.Labels ?? undefined,
    diffIds: config.rootfs.diff_ids ?? [],
  };
}
