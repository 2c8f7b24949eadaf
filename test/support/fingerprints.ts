import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

/** The sha256 and sha512 digests of every file below a folder, computed from the bytes; names and formats do not count. */
export async function fingerprints(folder: string): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const bytes = await readFile(join(entry.parentPath, entry.name));
    for (const algorithm of ["sha256", "sha512"]) found.add(digestText(bytes, algorithm));
  }
  return found;
}

/** `sha256:…` of bytes. */
export function digestText(bytes: Uint8Array, algorithm = "sha256"): string {
  return `${algorithm}:${createHash(algorithm).update(bytes).digest("hex")}`;
}

/** Those of `digests` that no file below the folder has. */
export async function missingBelow(folder: string, digests: Iterable<string>): Promise<readonly string[]> {
  const found = await fingerprints(folder);
  return [...digests].filter((digest) => !found.has(digest));
}
