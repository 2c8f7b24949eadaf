import type { Io } from "../core/content.ts";
import { NotFoundError, RegistryError, UnsupportedError } from "../core/error.ts";
import { type Digest, isDigest } from "../oci/digest.ts";
import type { RegistryClient } from "./client.ts";
import { discard } from "./discard.ts";
import { repositoryScope } from "./scope.ts";

/**
 * The tag alone, the manifest with all its tags, or the blob is gone. Throws `not-found` where it was not there,
 * `unsupported` with what the registry said where it deletes no such thing. distribution-spec v1.1.1, "Content Management".
 */
export async function removeContent(
  client: RegistryClient,
  what: { readonly kind: "tag" | "manifest" | "blob"; readonly reference: string },
  io: Io,
): Promise<void> {
  const outcome =
    what.kind === "blob"
      ? await removeBlob(client, what.reference, io)
      : await removeManifest(client, what.reference, io);
  const label = client.label(what.reference);
  if (outcome === "absent") throw new NotFoundError(`Cannot delete ${what.kind} ${label}: there is none`);
  if (outcome === "removed") return;
  throw new UnsupportedError(`Cannot delete ${what.kind} ${label}: ${client.registry} does not allow it`, {
    hint:
      what.kind === "tag"
        ? "This registry deletes by digest only, which removes every tag of the image: library delete REPOSITORY@DIGEST"
        : "Deleting may have to be switched on in the registry's configuration",
  });
}

type Removed = "removed" | "absent" | "unsupported";

/** Removes a tag, or with a digest the manifest. */
export async function removeManifest(client: RegistryClient, reference: string, io: Io): Promise<Removed> {
  const what = isDigest(reference) ? "manifest" : "tag";
  return send(client, client.path("manifests", reference), `delete ${what} ${client.label(reference)}`, io);
}

async function removeBlob(client: RegistryClient, digest: Digest | string, io: Io): Promise<Removed> {
  return send(client, client.path("blobs", digest), `delete blob ${client.label(digest)}`, io);
}

async function send(client: RegistryClient, target: string, purpose: string, io: Io): Promise<Removed> {
  const scopes = [repositoryScope(client.repository ?? "", "pull,push,delete")];
  try {
    const response = await client.send({ method: "DELETE", target, scopes, purpose, accept: [200, 202, 204, 404] }, io);
    await discard(response);
    return response.status === 404 ? "absent" : "removed";
  } catch (error) {
    if (error instanceof RegistryError && isUnsupported(error)) {
      io.emit({ kind: "debug", message: error.message });
      return "unsupported";
    }
    throw error;
  }
}

/** 2.8.2 answers a tag with DIGEST_INVALID, others with UNSUPPORTED; zot says DENIED of a child of an index, with 405. */
function isUnsupported({ refusal }: RegistryError): boolean {
  if (refusal.status === 405 || refusal.status === 501) return true;
  return refusal.status === 400 && refusal.codes.some((code) => code === "UNSUPPORTED" || code === "DIGEST_INVALID");
}
