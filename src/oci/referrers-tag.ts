import { type Digest, splitDigest } from "./digest.ts";

/**
 * The tag under which registries without a referrers API keep the index of a subject's referrers:
 * distribution-spec v1.1.1, "Referrers Tag Schema".
 */
export function referrersTag(digest: Digest): string {
  const { algorithm, encoded } = splitDigest(digest);
  return `${algorithm.slice(0, 32)}-${encoded.slice(0, 64)}`.replaceAll(/[^A-Za-z0-9._-]/g, "-");
}

/** Whether a tag is one of these, or of the older ones (`sha256-….sig`) that signatures were kept under. */
export function isReferrersTag(tag: string): boolean {
  return /^sha(?:256|512)-[0-9a-f]{64}(?:\.[a-z]+)?$/.test(tag);
}
