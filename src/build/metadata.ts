import * as v from "valibot";
import { LibraryError } from "../core/error.ts";
import { parseJson } from "../core/json.ts";
import { descriptorSchema } from "../oci/descriptor.ts";
import type { Digest } from "../oci/digest.ts";

const metadataSchema = v.looseObject({
  "containerimage.digest": descriptorSchema.entries.digest,
  "containerimage.descriptor": v.optional(descriptorSchema),
  "buildx.build.ref": v.optional(v.string()),
});

/** What buildx says of an export in its metadata file. */
export interface BuildMetadata {
  /** Of the root manifest. */
  readonly digest: Digest;
  /** buildx's own name of this build, as `builder/node/id`. */
  readonly buildReference: string | undefined;
}

/** The metadata file of a build; throws `tool-failed` where it does not say what was built. */
export function parseMetadata(bytes: Uint8Array): BuildMetadata {
  const result = v.safeParse(
    metadataSchema,
    parseJson(bytes, "the metadata file of buildx", { maxBytes: 64 * 1024 ** 2 }),
  );
  if (result.success) {
    return { digest: result.output["containerimage.digest"], buildReference: result.output["buildx.build.ref"] };
  }
  const [issue] = result.issues;
  throw new LibraryError(
    "tool-failed",
    `Cannot read the metadata file of buildx at ${v.getDotPath(issue) ?? "/"}: ${issue.message}`,
    { hint: "Update buildx: 0.12 or newer is needed" },
  );
}
