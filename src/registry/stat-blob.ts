import type { Io } from "../core/content.ts";
import { LibraryError } from "../core/error.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import { type Digest, splitDigest } from "../oci/digest.ts";
import { essence } from "../oci/media-type.ts";
import type { RegistryClient } from "./client.ts";
import { checkContentDigest } from "./content-digest.ts";
import { discardHead } from "./discard.ts";

/** What the registry says of a blob; undefined where it has none such. distribution-spec v1.1.1, "Checking if content exists". */
export async function statBlob(
  client: RegistryClient,
  digest: Digest,
  scopes: readonly string[],
  io: Io,
): Promise<Descriptor | undefined> {
  const purpose = `look up blob ${client.label(digest)}`;
  // A registry that does not know the algorithm cannot have the blob
  const absent = splitDigest(digest).algorithm === "sha256" ? [404] : [404, 400];
  const target = client.path("blobs", digest);
  const response = await client.send({ method: "HEAD", target, scopes, purpose, accept: [200, ...absent] }, io);
  await discardHead(response);
  if (response.status !== 200) return undefined;
  const { headers } = response;
  checkContentDigest(headers, digest, purpose);
  const size = /^[0-9]{1,15}$/.exec(headers.get("content-length") ?? "")?.[0];
  if (size === undefined) {
    throw new LibraryError("registry-error", `Cannot ${purpose}: ${client.registry} does not tell its size`);
  }
  return {
    mediaType: essence(headers.get("content-type") ?? "") || "application/octet-stream",
    digest,
    size: Number(size),
  };
}
