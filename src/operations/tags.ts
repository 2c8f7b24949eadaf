import type { Context } from "../core/context.ts";
import type { Report } from "../core/report.ts";
import { formatLocation, type Location } from "../oci/reference.ts";
import { isReferrersTag } from "../oci/referrers-tag.ts";
import { openSource } from "./open.ts";

/** Which place, and how much of its list. */
export interface TagsInput {
  readonly location: Location;
  /** Also the tags that only carry signatures and lists of referrers. */
  readonly all: boolean;
  /** How many at most. */
  readonly limit?: number | undefined;
}

/** The tags found. */
export interface TagsReport extends Report {
  readonly location: string;
  /** In code point order, each once. */
  readonly tags: readonly string[];
  /** Whether there are more than `limit`. */
  readonly more: boolean;
}

/** The tags of a repository, or the names in a layout or archive. */
export async function tags(context: Context, input: TagsInput): Promise<TagsReport> {
  const store = await openSource(context, input.location);
  try {
    const found = new Set<string>();
    for await (const { tag } of store.list(context)) {
      if (tag !== undefined && (input.all || !isReferrersTag(tag))) found.add(tag);
    }
    const sorted = [...found].sort();
    const shown = sorted.slice(0, input.limit);
    return { status: "ok", location: formatLocation(input.location), tags: shown, more: shown.length < sorted.length };
  } finally {
    await store.close();
  }
}
