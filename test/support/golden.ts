import { expect } from "bun:test";
import { mkdir, readFile, writeFile } from "node:fs/promises";

/** Fails where the file differs from `text`; with UPDATE_GOLDEN=1 in the environment the file is written instead. */
export async function expectGolden(file: URL, text: string): Promise<void> {
  if (process.env.UPDATE_GOLDEN === "1") {
    await mkdir(new URL(".", file), { recursive: true });
    await writeFile(file, text);
  }
  const golden = await readFile(file, "utf8").catch(() => "(missing: run the test with UPDATE_GOLDEN=1)");
  expect(text).toBe(golden);
}
