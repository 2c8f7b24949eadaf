import { LibraryError, UnsupportedError } from "../core/error.ts";
import type { HashAlgorithm } from "../core/ports.ts";

/** `algorithm:encoded`; the grammar was checked when it was made, the algorithm is judged when content is read. */
export type Digest = `${string}:${string}`;

const grammar = /^[a-z0-9]+(?:[+._-][a-z0-9]+)*:[a-zA-Z0-9=_-]+$/;
const hexLengths: Readonly<Record<string, number>> = { sha256: 64, sha512: 128, blake3: 64 };
const maxLength = 512;

/** Whether `text` is a digest: image-spec v1.1.1, "Digests"; registered algorithms must have lower-case hex of their length. */
export function isDigest(text: string): text is Digest {
  if (text.length > maxLength || !grammar.test(text)) return false;
  const colon = text.indexOf(":");
  const length = Object.hasOwn(hexLengths, text.slice(0, colon)) ? hexLengths[text.slice(0, colon)] : undefined;
  if (length === undefined) return true;
  const encoded = text.slice(colon + 1);
  return encoded.length === length && /^[0-9a-f]+$/.test(encoded);
}

/** `text` as a Digest; throws `invalid-digest` where it is none. */
export function parseDigest(text: string): Digest {
  if (isDigest(text)) return text;
  throw new LibraryError("invalid-digest", `Cannot read digest ${JSON.stringify(text.slice(0, 160))}: not a digest`, {
    hint: "Write it as sha256: and 64 lower-case hexadecimal digits",
  });
}

/** A digest's two parts; `encoded` is safe as one path component. */
export function splitDigest(digest: Digest): { readonly algorithm: string; readonly encoded: string } {
  const colon = digest.indexOf(":");
  return { algorithm: digest.slice(0, colon), encoded: digest.slice(colon + 1) };
}

/** The algorithm, if this program computes it; else throws `unsupported-digest`: such content is never accepted. */
export function hashAlgorithm(digest: Digest): HashAlgorithm {
  const { algorithm } = splitDigest(digest);
  if (algorithm === "sha256" || algorithm === "sha512") return algorithm;
  throw new UnsupportedError(`Cannot verify ${digest}: digest algorithm ${algorithm} is not supported`, {
    code: "unsupported-digest",
    hint: "Use sha256 or sha512",
  });
}
