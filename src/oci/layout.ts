import { type Digest, splitDigest } from "./digest.ts";

/** image-spec v1.1.1, "OCI Image Layout Specification": the file that marks a layout, and its content. */
export const layoutFile = "oci-layout";
/** The version that is written; every 1.x is read. */
export const layoutVersion = "1.0.0";
/** The file that lists a layout's entries. */
export const indexFile = "index.json";

/** The path of a blob inside a layout, with `/` between its parts. */
export function blobPath(digest: Digest): string {
  const { algorithm, encoded } = splitDigest(digest);
  return `blobs/${algorithm}/${encoded}`;
}
