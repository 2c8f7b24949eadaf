import { createHash } from "node:crypto";
import type { HashAlgorithm } from "./ports.ts";

/** Lower-case hex of the hash of `bytes`; for what is in memory anyway, files go through the `Hash` port. */
export function hexOf(algorithm: HashAlgorithm, bytes: Uint8Array | string): string {
  return createHash(algorithm).update(bytes).digest("hex");
}

/** A hash that takes bytes in order; `hex` ends it. */
export interface RunningHash {
  update(bytes: Uint8Array): void;
  hex(): string;
}

/** A new hash of no bytes yet. */
export function startHash(algorithm: HashAlgorithm): RunningHash {
  const hash = createHash(algorithm);
  return {
    update: (bytes) => void hash.update(bytes),
    hex: () => hash.digest("hex"),
  };
}
