import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { replaceFile } from "../core/durable-file.ts";
import { LibraryError } from "../core/error.ts";
import { random } from "../runtime/random.ts";

/**
 * The file holds the digest and nothing else (no line end, as the files of other builders), or is as it was before.
 * A device or a pipe, as /dev/stderr, is written to directly. Throws `io-error`.
 */
export async function writeDigest(file: string, digest: string, cwd: string): Promise<void> {
  const path = resolve(cwd, file);
  try {
    await replaceFile(path, random, (target) => writeFile(target, digest));
  } catch (cause) {
    throw new LibraryError("io-error", `Cannot write the digest to ${file}: ${describe(cause)}`, {
      hint: `The digest is ${digest}`,
      cause,
    });
  }
}

function describe(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
