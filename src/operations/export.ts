import { join } from "node:path";
import type { Context } from "../core/context.ts";
import { UsageError } from "../core/error.ts";
import type { Report } from "../core/report.ts";
import type { Digest } from "../oci/digest.ts";
import { splitDigest } from "../oci/digest.ts";
import type { PlatformPattern } from "../oci/platform.ts";
import { formatReference, type Reference } from "../oci/reference.ts";
import { copyImages } from "./copy.ts";
import { openTarget, withReference } from "./open.ts";

/** What to export, and below which folder. */
export interface ExportInput {
  readonly reference: Reference;
  /** The folder below which the layout gets its place; else `LIBRARY_LAYOUT_DIR` or `CNB_LAYOUT_DIR`. */
  readonly layoutDir?: string | undefined;
  /** Without layers. */
  readonly sparse: boolean;
  readonly platform: readonly PlatformPattern[];
  readonly referrers: "all" | "none";
}

/** The layout that was written. */
export interface ExportReport extends Report {
  readonly source: string;
  /** The layout's folder. */
  readonly path: string;
  readonly digest: Digest;
  /** `path@digest`, as buildpacks platforms name it. */
  readonly reference: string;
  readonly sparse: boolean;
}

/**
 * The image lies in a layout of its own after, at the path that buildpacks RFC 0119 gives its reference:
 * `<dir>/<registry>/<repository>/<tag>`, or `/<algorithm>/<encoded>` for a digest.
 */
export async function exportImage(context: Context, input: ExportInput): Promise<ExportReport> {
  const folder = input.layoutDir ?? (context.env.LIBRARY_LAYOUT_DIR || context.env.CNB_LAYOUT_DIR);
  if (!folder) {
    throw new UsageError("Cannot export: no folder for layouts is named", {
      hint: "Give --layout-dir DIR, or set LIBRARY_LAYOUT_DIR",
    });
  }
  const path = join(folder, exportPath(input.reference));
  return withReference(context, input.reference, input.platform, async ({ store, root }) => {
    const target = await openTarget(context, { kind: "layout", path });
    const tags = input.reference.tag === undefined ? [] : [input.reference.tag];
    const { referrers, sparse } = input;
    await copyImages(context, [{ source: store, root, tags }], target, { referrers, sparse });
    const { digest } = root.descriptor;
    return {
      status: "ok",
      source: formatReference(input.reference),
      path,
      digest,
      reference: `${path}@${digest}`,
      sparse,
    };
  });
}

/** The path of an image's layout below the folder of layouts: buildpacks platform specification, "Map an image reference". */
export function exportPath(reference: Reference): string {
  const { location, tag, digest } = reference;
  if (location.kind !== "registry") {
    throw new UsageError(`Cannot export ${formatReference(reference)}: it is not a registry's reference`, {
      hint: 'Use "library copy" between layouts and archives',
    });
  }
  const registry = location.registry === "docker.io" ? "index.docker.io" : location.registry;
  if (digest !== undefined) {
    const { algorithm, encoded } = splitDigest(digest);
    return join(registry, location.repository, algorithm, encoded);
  }
  return join(registry, location.repository, tag ?? "latest");
}
