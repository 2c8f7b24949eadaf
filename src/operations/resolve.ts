import type { Context } from "../core/context.ts";
import type { Report } from "../core/report.ts";
import type { Digest } from "../oci/digest.ts";
import type { PlatformPattern } from "../oci/platform.ts";
import type { Reference } from "../oci/reference.ts";
import { pinned, withReference } from "./open.ts";

/** What to resolve. */
export interface ResolveInput {
  readonly reference: Reference;
  readonly platform: readonly PlatformPattern[];
}

/** What the reference names now. */
export interface ResolveReport extends Report {
  /** By digest. */
  readonly reference: string;
  readonly digest: Digest;
  readonly mediaType: string;
  readonly size: number;
}

/** The digest that a reference names now; its manifest was read and checked. */
export async function resolve(context: Context, input: ResolveInput): Promise<ResolveReport> {
  return withReference(context, input.reference, input.platform, async ({ root }) => {
    const { digest, mediaType, size } = root.descriptor;
    return { status: "ok", reference: pinned(input.reference.location, root), digest, mediaType, size };
  });
}
