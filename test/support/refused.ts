import { expect } from "bun:test";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { runLibrary } from "./program.ts";

/**
 * The compiled executable refuses to copy `source` from within the folder, with this code and in words that leave the
 * terminal alone, and nothing is at the destination after: never a success, a crash, or a bug's status.
 */
export async function expectRefused(source: string, code: string, folder: string): Promise<void> {
  for (const to of ["oci:out:1", "oci-archive:out.tar:1"]) {
    const { status, stdout, stderr } = await runLibrary(["copy", "--json", source, to], { cwd: folder });
    const { errors } = JSON.parse(stdout.toString());
    expect({ status, code: errors[0]?.code, to }).toEqual({
      status: code === "ambiguous-reference" ? 2 : 3,
      code,
      to,
    });
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
    expect(stderr).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f\u0080-\u009f\u202a-\u202e]/);
  }
  const index = await readFile(join(folder, "out/index.json"), "utf8").catch(() => '{"manifests":[]}');
  expect(JSON.parse(index).manifests).toEqual([]);
  expect(await readFile(join(folder, "out.tar")).catch(() => "absent")).toBe("absent");
}
