import { expect, test } from "bun:test";
import { unlink } from "node:fs/promises";
import { join } from "node:path";
import { removeDead } from "../../src/store/archive-remains.ts";
import { filesBelow } from "../support/file-tree.ts";
import { withFolder } from "../support/folder.ts";
import { testIo } from "../support/io.ts";

const names = ["0", "1", "2"].map((digit) => `x.tar.${digit.repeat(16)}.tmp`);
const alive = `x.tar.${"a".repeat(16)}.tmp`;

test("removeDead() leaves a file that cannot be removed, tells of it and removes the others", () =>
  withFolder(
    Object.fromEntries([...names, alive, "x.tar", "x.tar.0.tmp"].map((name) => [name, "x"])),
    async (folder) => {
      const io = testIo();
      const remove = async (path: string): Promise<void> => {
        if (path.endsWith(String(names[0]))) throw Object.assign(new Error("not permitted"), { code: "EPERM" });
        await unlink(path);
      };
      await removeDead(join(folder, "x.tar"), join(folder, alive), io, { ageMs: -60_000, remove });
      expect(await filesBelow(folder)).toEqual(["x.tar", "x.tar.0.tmp", String(names[0]), alive].sort());
      expect(io.events).toMatchObject([{ kind: "debug", message: expect.stringContaining(String(names[0])) }]);
    },
  ));
