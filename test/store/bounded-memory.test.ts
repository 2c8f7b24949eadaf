import { expect, test } from "bun:test";
import { join } from "node:path";
import { withFolder } from "../support/folder.ts";
import { runProgram } from "../support/program.ts";

const script = join(import.meta.dir, "../support/stream-writer.ts");

async function peak(place: string, mebibytes: number): Promise<number> {
  const ended = await runProgram(process.execPath, [script, place, String(mebibytes)]);
  if (ended.status !== 0) throw new Error(ended.stderr);
  return Number(ended.stdout.toString());
}

test.each(["oci:layout", "oci-archive:x.tar", "oci-archive:x.tar.zst"])(
  "writing and reading %s takes no more memory for a larger blob",
  (place) =>
    withFolder({}, async (folder) => {
      const at = place.replace(":", `:${folder}/`);
      const small = await peak(at, 32);
      const large = await peak(at, 256);
      // What differs is how much garbage lies about when it is measured
      expect(large - small).toBeLessThan(64);
    }),
  60_000,
);
