import type { Context } from "../core/context.ts";
import { UsageError } from "../core/error.ts";
import type { Report } from "../core/report.ts";
import type { Digest } from "../oci/digest.ts";
import type { Manifest } from "../oci/manifest.ts";
import type { PlatformPattern } from "../oci/platform.ts";
import { formatReference, isTag, type Reference } from "../oci/reference.ts";
import { isReferrersTag } from "../oci/referrers-tag.ts";
import type { CommitEntry, Source, Target } from "../store/backend.ts";
import { type CopyReport as Copied, copy as copyGraph } from "../store/copy.ts";
import { selectPlatforms } from "../store/select-platforms.ts";
import type { Store } from "../store/store.ts";
import { walk } from "../store/walk.ts";
import { openSource, openTarget } from "./open.ts";

/** What to copy, where to, and how much of what belongs to it. */
export interface CopyInput {
  readonly source: Reference;
  /** Without tag and digest, it takes the tag of the source. */
  readonly destination: Reference;
  /** Further tags at the destination. */
  readonly tag: readonly string[];
  /** Everything that has a tag; the source's own tag must be absent. */
  readonly allTags: boolean;
  readonly platform: readonly PlatformPattern[];
  readonly referrers: "all" | "none";
  /** A manifest found at the destination is taken to be whole. */
  readonly trustExisting: boolean;
  /** Replaces an archive that is there. */
  readonly force?: boolean;
  /** Members of an index that the source lacks are left out, if the destination takes that. */
  readonly allowMissing: boolean;
}

/** One image that arrived. */
export interface CopiedImage {
  readonly digest: Digest;
  readonly mediaType: string;
  /** Of the root manifest, in bytes. */
  readonly size: number;
  readonly tags: readonly string[];
}

/** What arrived, and what it took. */
export interface CopyReport extends Report, Copied {
  readonly source: string;
  readonly destination: string;
  readonly images: readonly CopiedImage[];
}

/** What the source names is at the destination after, whole, with its referrers, under the same digest. */
export async function copy(context: Context, input: CopyInput): Promise<CopyReport> {
  const { source: from, destination: to } = input;
  if (input.allTags) refuseNames(input);
  for (const tag of input.tag) refuseNoTag(tag, to);
  const store = await openSource(context, from.location);
  try {
    const images = input.allTags
      ? await taggedImages(store, input, context)
      : [await namedImage(store, input, context)];
    if (to.location.kind === "registry") for (const { tags } of images) for (const tag of tags) refuseNoTag(tag, to);
    const target = await openTarget(context, to.location, { replace: input.force ?? false });
    const copied = await copyImages(context, images, target, input);
    return {
      status: "ok",
      source: formatReference(from),
      destination: formatReference(to),
      images: images.map(({ root, tags }) => {
        const { digest, mediaType, size } = root.descriptor;
        return { digest, mediaType, size, tags };
      }),
      ...copied,
    };
  } finally {
    await store.close();
  }
}

/** What is to arrive, and under which tags. */
export interface ImageToCopy {
  readonly source: Store;
  readonly root: Manifest;
  /** None commits it without a tag. */
  readonly tags: readonly string[];
}

/** Copies images that may come from several stores into one target, in one transaction. */
export async function copyImages(
  context: Context,
  images: readonly ImageToCopy[],
  target: Target,
  options: Pick<CopyInput, "referrers"> &
    Partial<Pick<CopyInput, "trustExisting" | "allowMissing">> & { sparse?: boolean },
): Promise<Copied> {
  const stopAt = options.trustExisting ? finder(context, target) : undefined;
  const plan = async function* () {
    for (const { source, root } of images) {
      yield* walk(
        source,
        [root],
        {
          referrers: options.referrers,
          missing: options.allowMissing ? "skip" : "fail",
          sparse: options.sparse ?? false,
          ...(stopAt ? { stopAt } : {}),
        },
        context,
      );
    }
  };
  const entries = images.flatMap(({ root, tags }): CommitEntry[] =>
    tags.length === 0 ? [{ manifest: root }] : tags.map((tag) => ({ manifest: root, tag })),
  );
  return copyGraph(plan(), target, { entries, concurrency: context.network.concurrency }, context);
}

async function namedImage(store: Store, input: CopyInput, context: Context): Promise<ImageToCopy> {
  const { source: from, destination: to } = input;
  const whole = await store.resolve(from.digest ?? from.tag, context);
  const { root, source } = await selectPlatforms(store, whole, input.platform, context);
  if (to.digest !== undefined && to.digest !== root.descriptor.digest) {
    throw new UsageError(`Cannot copy to ${formatReference(to)}: the source is ${root.descriptor.digest}`, {
      hint: "Leave the digest of the destination out",
    });
  }
  const named = to.tag !== undefined || to.digest !== undefined || input.tag.length > 0;
  const own = named ? (to.tag === undefined ? [] : [to.tag]) : await sourceTags(store, from, whole, context);
  return { source, root, tags: [...new Set([...own, ...input.tag])] };
}

/** The tag that the source names, or the ones that its only entry has. */
async function sourceTags(
  store: Store,
  { tag, digest }: Reference,
  root: Manifest,
  context: Context,
): Promise<readonly string[]> {
  if (tag !== undefined) return [tag];
  const tags: string[] = [];
  if (digest !== undefined) return tags;
  for await (const entry of store.list(context)) {
    if (entry.tag !== undefined && entry.descriptor?.digest === root.descriptor.digest) tags.push(entry.tag);
  }
  return tags;
}

async function taggedImages(store: Store, input: CopyInput, context: Context): Promise<readonly ImageToCopy[]> {
  const images = new Map<Digest, { source: Store; root: Manifest; tags: string[] }>();
  for await (const { tag } of store.list(context)) {
    if (tag === undefined || isReferrersTag(tag)) continue;
    const whole = await store.resolve(tag, context);
    const { root, source } = await selectPlatforms(store, whole, input.platform, context);
    const image = images.get(root.descriptor.digest) ?? { source, root, tags: [] };
    image.tags.push(tag);
    images.set(root.descriptor.digest, image);
  }
  return [...images.values()];
}

/** With all tags, none is named. */
function refuseNames({ source, destination, tag }: CopyInput): void {
  const named = [source.tag, source.digest, destination.tag, destination.digest, ...tag];
  if (named.every((name) => name === undefined)) return;
  throw new UsageError("Cannot copy with --all-tags: a tag or digest is named too", {
    hint: "Leave :tag and @digest out of the source and the destination, and --tag",
  });
}

/** Names of a layout's entries may hold more than tags can. */
function refuseNoTag(tag: string, destination: Reference): void {
  if (isTag(tag)) return;
  throw new UsageError(
    `Cannot copy to ${formatReference(destination)}: ${JSON.stringify(tag.slice(0, 160))} is no tag`,
    {
      code: "invalid-reference",
      hint: 'Name the tag of the destination, as "1.2"',
    },
  );
}

/** Asks the target whether it has a manifest already; an archive never has. */
function finder(context: Context, target: Target): ((manifest: Manifest) => Promise<boolean>) | undefined {
  if (!isReadable(target)) return undefined;
  return async ({ descriptor }) => (await target.stat("manifest", descriptor.digest, context)) !== undefined;
}

function isReadable(target: Target): target is Target & Pick<Source, "stat"> {
  return "stat" in target;
}
