import type { Context } from "../core/context.ts";
import { UsageError } from "../core/error.ts";
import type { PlatformPattern } from "../oci/platform.ts";
import { formatReference, type Reference } from "../oci/reference.ts";
import { type CopyReport, copy } from "./copy.ts";

/** What to fetch and where it is to lie. */
export interface PullInput {
  readonly reference: Reference;
  /** The layout's folder; by default named as the last part of the repository. */
  readonly output?: string | undefined;
  readonly platform: readonly PlatformPattern[];
  readonly referrers: "all" | "none";
}

/**
 * The image lies whole in a layout after, under its tag, every byte of it checked. Throws `usage` for an output that is
 * written as another place than a layout.
 */
export async function pull(context: Context, input: PullInput): Promise<CopyReport> {
  const { reference } = input;
  const path = input.output === undefined ? defaultFolder(reference) : folderOf(input.output, reference);
  return copy(context, {
    source: reference,
    destination: { location: { kind: "layout", path } },
    tag: [],
    allTags: false,
    platform: input.platform,
    referrers: input.referrers,
    trustExisting: false,
    allowMissing: false,
  });
}

function folderOf(output: string, reference: Reference): string {
  if (/^(?:oci-archive|docker):/.test(output)) {
    throw new UsageError(`Cannot pull to ${output}: expected the folder of a layout`, {
      hint: `Run "library copy ${formatReference(reference)} ${output}"`,
    });
  }
  const path = output.replace(/^(?:oci:|oci-layout:\/\/|ocidir:\/\/)/, "");
  if (path === "") throw new UsageError(`Cannot pull to ${output}: no folder is named`);
  return path;
}

function defaultFolder({ location }: Reference): string {
  if (location.kind === "registry") return location.repository.split("/").at(-1) ?? location.repository;
  const name = location.path.replace(/\/+$/, "").split("/").at(-1) ?? location.path;
  return location.kind === "archive" ? name.replace(/\.(tar|tar\.gz|tgz|tar\.zst)$/, "") : `${name}-copy`;
}
