import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { filesBelow } from "../support/file-tree.ts";
import { withFolder } from "../support/folder.ts";
import { runProgram } from "../support/program.ts";

const script = join(import.meta.dir, "../support/place-writer.ts");
/** Files may have so many bytes; the system then fails writes as on a full disk, with another word. */
const limitBytes = 400 * 512;

async function writeLimited(place: string, size: number): Promise<string> {
  const limited = `trap '' XFSZ; ulimit -f ${limitBytes / 512}; exec "$0" "$@"`;
  const ended = await runProgram("sh", ["-c", limited, process.execPath, script, place, String(size)]);
  return ended.stdout.toString();
}

describe("on a device that takes no more", () => {
  test.each([300_000, 3_000_000])("a layout is not there after blobs of %d bytes", (size) =>
    withFolder({}, async (folder) => {
      const path = join(folder, "layout");
      expect(await writeLimited(`oci:${path}`, size)).toBe("io-error");
      expect(await filesBelow(folder)).toEqual([]);
      expect(await writeLimited(`oci:${path}`, 1000)).toBe("ok");
    }),
  );

  test.each(["x.tar", "x.tar.gz", "x.tar.zst"])("an archive %s is not there, and what was there stays", (name) =>
    withFolder({}, async (folder) => {
      const place = `oci-archive:${join(folder, name)}`;
      expect(await writeLimited(place, 3_000_000)).toBe("io-error");
      expect(await filesBelow(folder)).toEqual([]);
      expect(await writeLimited(place, 1000)).toBe("ok");
      expect(await writeLimited(place, 3_000_000)).toBe("io-error");
      expect(await filesBelow(folder)).toEqual([name]);
    }),
  );
});
