import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { namingFile } from "../store/file-error.ts";

/**
 * Runs `body` with a new folder, and removes it with all that it holds after. It lies in `near` where that is given
 * (made if missing), so that files can be linked from it, else in the system's folder for temporary files.
 */
export async function withTemporaryFolder<T>(
  near: string | undefined,
  body: (folder: string) => Promise<T>,
): Promise<T> {
  const parent = near ?? tmpdir();
  const folder = await namingFile("write", parent, async () => {
    await mkdir(parent, { recursive: true });
    return mkdtemp(join(parent, ".library-"));
  });
  try {
    return await body(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
