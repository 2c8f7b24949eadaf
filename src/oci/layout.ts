import { type Digest, splitDigest } from "./digest.ts";

/** image-spec v1.1.1, "OCI Image Layout Specification": the file that marks a layout, and its content. */
export const layoutFile = "oci-layout";
export const layoutVersion = "1.0.0";
export const indexFile = "index.json";

/** The path of a blob inside a layout, with `/` between its parts. */
export function blobPath(digest: Digest): string {
  const { algorithm, encoded } = splitDigest(digest);
  return `blobs/${algorithm}/${encoded}`;
}
