import type { Context } from "../core/context.ts";
import { UsageError } from "../core/error.ts";
import type { Report } from "../core/report.ts";
import type { Digest } from "../oci/digest.ts";
import { formatLocation, formatReference, type Reference } from "../oci/reference.ts";
import type { Backend } from "../store/backend.ts";
import { limiter } from "../store/limit.ts";
import { Store } from "../store/store.ts";
import { openBackend } from "./open.ts";

/** What is to go, and who has agreed to it. */
export interface DeleteInput {
  /** With a tag or a digest. */
  readonly reference: Reference;
  readonly dryRun: boolean;
  /** Does not ask. */
  readonly yes: boolean;
}

/** What went, or would go. */
export interface DeleteReport extends Report {
  readonly reference: string;
  /** What the tag pointed at, or the manifest that went. */
  readonly digest: Digest;
  /** The tags that go: the one asked for, or all that point at the digest. */
  readonly tags: readonly string[];
  /** False after a dry run (status `ok`), or where the user said no (status `no`). */
  readonly deleted: boolean;
}

/**
 * A tag alone is gone after, or a manifest with every tag that pointed at it; other tags stay. Throws `not-found`, and
 * `unsupported` where the place cannot do it.
 */
export async function deleteReference(context: Context, input: DeleteInput): Promise<DeleteReport> {
  const { reference } = input;
  const name = formatReference(reference);
  if (reference.tag === undefined && reference.digest === undefined) {
    throw new UsageError(`Cannot delete ${name}: neither a tag nor a digest is named`, {
      hint: `Write "${name}:TAG" for one tag, or "${name}@DIGEST" for a manifest and all its tags`,
    });
  }
  const backend = await openBackend(context, reference.location);
  try {
    const manifest = await new Store(backend).resolve(reference.digest ?? reference.tag, context);
    const { digest } = manifest.descriptor;
    const onlyTag = reference.digest === undefined ? reference.tag : undefined;
    const tags = onlyTag === undefined ? await tagsOf(context, backend, digest) : [onlyTag];
    const report = { status: "ok" as const, reference: name, digest, tags };
    if (input.dryRun) return { ...report, deleted: false };
    if (!(await agreed(context, input, tags))) return { ...report, status: "no", deleted: false };
    await backend.remove(onlyTag === undefined ? { kind: "manifest", digest } : { tag: onlyTag }, context);
    if (onlyTag === undefined) await removeLeftTags(context, backend, digest, tags);
    return { ...report, deleted: true };
  } finally {
    await backend.close();
  }
}

/** Every tag that points at the digest; asks a registry for each of its tags. */
async function tagsOf(context: Context, backend: Backend, digest: Digest): Promise<readonly string[]> {
  const limit = limiter(context.network.concurrency);
  const asked: Promise<string | undefined>[] = [];
  for await (const { tag, descriptor } of backend.list(context)) {
    if (tag === undefined) continue;
    // A layout tells without reading manifests, which a sparse one may lack
    const points = async () => (descriptor ?? (await backend.resolve(tag, context))?.descriptor)?.digest === digest;
    asked.push(limit(async () => ((await points()) ? tag : undefined)));
  }
  return (await Promise.all(asked)).filter((tag) => tag !== undefined).sort();
}

/** The registry inside crane (0.21.9) keeps what a tag names apart: there the tags of a deleted digest stay. */
async function removeLeftTags(
  context: Context,
  backend: Backend,
  digest: Digest,
  tags: readonly string[],
): Promise<void> {
  for (const tag of tags) {
    const left = await backend.resolve(tag, context);
    if (left?.descriptor.digest === digest) await backend.remove({ tag }, context);
  }
}

async function agreed(context: Context, input: DeleteInput, tags: readonly string[]): Promise<boolean> {
  if (input.yes) return true;
  const name = formatReference(input.reference);
  if (!context.terminal.stdinIsTerminal) {
    throw new UsageError(`Cannot delete ${name}: nobody is there to confirm it`, {
      hint: "Give --yes, or --dry-run to see what would go",
    });
  }
  const also = tags.length === 0 ? "" : ` with the tags ${tags.join(", ")}`;
  const answer = await context.terminal.ask(
    `Delete ${input.reference.digest === undefined ? `the tag ${name}` : `${name}${also}`} from ${formatLocation(input.reference.location)}? [y/N] `,
  );
  return /^y(es)?$/i.test(answer?.trim() ?? "");
}
