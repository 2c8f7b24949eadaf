import type { Context } from "../core/context.ts";
import type { Report } from "../core/report.ts";
import type { Digest } from "../oci/digest.ts";
import { formatLocation, type Location } from "../oci/reference.ts";
import { isReferrersTag } from "../oci/referrers-tag.ts";
import { openSource } from "./open.ts";

/** Which place, and how much of its list. */
export interface TagsInput {
  readonly location: Location;
  /** Also the tags that only carry signatures and lists of referrers, and what a layout holds without a tag. */
  readonly all: boolean;
  /** How many at most. */
  readonly limit?: number | undefined;
}

/** The tags found. */
export interface TagsReport extends Report {
  readonly location: string;
  /** In code point order, each once. */
  readonly tags: readonly string[];
  /** What a layout or archive lists without a tag, each once; only where all was asked for, and after the tags. */
  readonly untagged?: readonly Digest[];
  /** Whether there are more than `limit`. */
  readonly more: boolean;
}

/** The tags of a repository, or the names in a layout or archive. */
export async function tags(context: Context, input: TagsInput): Promise<TagsReport> {
  const store = await openSource(context, input.location);
  try {
    const found = new Set<string>();
    const unnamed = new Set<Digest>();
    for await (const { tag, descriptor } of store.list(context)) {
      if (tag === undefined) {
        if (input.all && descriptor !== undefined) unnamed.add(descriptor.digest);
      } else if (input.all || !isReferrersTag(tag)) found.add(tag);
    }
    const sorted = [...found].sort();
    const shown = sorted.slice(0, input.limit);
    const untagged = [...unnamed].sort().slice(0, input.limit === undefined ? undefined : input.limit - shown.length);
    return {
      status: "ok",
      location: formatLocation(input.location),
      tags: shown,
      ...(input.all ? { untagged } : {}),
      more: shown.length + untagged.length < sorted.length + unnamed.size,
    };
  } finally {
    await store.close();
  }
}
