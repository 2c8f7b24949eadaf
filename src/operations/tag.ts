import type { Context } from "../core/context.ts";
import { UsageError } from "../core/error.ts";
import type { Report } from "../core/report.ts";
import type { Digest } from "../oci/digest.ts";
import { formatReference, isTag, type Reference } from "../oci/reference.ts";
import { tagMoved } from "../store/memory.ts";
import { Store } from "../store/store.ts";
import { openBackend } from "./open.ts";

/** What gets which further tags. */
export interface TagInput {
  readonly source: Reference;
  readonly tags: readonly string[];
  /** Moves tags that point elsewhere. */
  readonly force: boolean;
}

/** The tags, and what each pointed at before. */
export interface TagReport extends Report {
  readonly source: string;
  readonly digest: Digest;
  readonly tags: readonly { readonly tag: string; readonly before: Digest | undefined }[];
}

/** Every tag points at what the source names; without `force` none pointed elsewhere before: `tag-moved` else. */
export async function tag(context: Context, input: TagInput): Promise<TagReport> {
  for (const name of input.tags) {
    if (isTag(name)) continue;
    throw new UsageError(`Cannot set tag ${JSON.stringify(name.slice(0, 160))}: it is not a tag`, {
      code: "invalid-reference",
      hint: "Write the tag alone, without the repository",
    });
  }
  const backend = await openBackend(context, input.source.location);
  try {
    const manifest = await new Store(backend).resolve(input.source.digest ?? input.source.tag, context);
    const { digest } = manifest.descriptor;
    const tags = await Promise.all(
      [...new Set(input.tags)].map(async (name) => ({
        tag: name,
        before: (await backend.resolve(name, context))?.descriptor.digest,
      })),
    );
    for (const { tag: name, before } of tags) {
      if (input.force || before === undefined || before === digest) continue;
      throw tagMoved(formatReference({ location: input.source.location, tag: name }), before, "absent");
    }
    const writing = await backend.begin(context);
    const entries = tags
      .filter(({ before }) => before !== digest)
      .map(({ tag: name }) => ({ manifest, tag: name, ...(input.force ? {} : { expect: "absent" as const }) }));
    try {
      await writing.commit(entries);
    } catch (error) {
      await writing.abort({ keepPartial: false });
      throw error;
    }
    return { status: "ok", source: formatReference(input.source), digest, tags };
  } finally {
    await backend.close();
  }
}
