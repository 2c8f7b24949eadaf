import { IntegrityError } from "../core/error.ts";
import { type Digest, isDigest, splitDigest } from "../oci/digest.ts";

/** The registry's own word on the digest of what it holds; undefined where it gives none that is a digest. */
export function contentDigest(headers: Headers): Digest | undefined {
  const value = headers.get("docker-content-digest")?.trim();
  return value !== undefined && isDigest(value) ? value : undefined;
}

/**
 * Throws `digest-mismatch` where the registry claims another digest of the same algorithm than the one expected. A
 * digest of another algorithm is no contradiction: distribution 2.8.2 answers a sha512 upload with its own sha256.
 */
export function checkContentDigest(headers: Headers, expected: Digest, purpose: string): void {
  const claimed = contentDigest(headers);
  if (claimed === undefined || claimed === expected) return;
  if (splitDigest(claimed).algorithm !== splitDigest(expected).algorithm) return;
  throw new IntegrityError(
    "digest-mismatch",
    `Cannot ${purpose}: the registry has digest ${claimed}, expected ${expected}`,
  );
}
