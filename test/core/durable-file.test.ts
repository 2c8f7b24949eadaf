import { describe, expect, test } from "bun:test";
import { lstat, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { replaceFile } from "../../src/core/durable-file.ts";
import { random } from "../../src/runtime/random.ts";
import { withFolder } from "../support/folder.ts";

const filled = (text: string) => (path: string) => writeFile(path, text);

describe("replaceFile()", () => {
  test("makes a file, or replaces the whole of one, and leaves nothing else", () =>
    withFolder({ old: "before, and longer" }, async (folder) => {
      for (const name of ["old", "new"]) await replaceFile(join(folder, name), random, filled("after"));
      expect(await readFile(join(folder, "old"), "utf8")).toBe("after");
      expect((await readdir(folder)).sort()).toEqual(["new", "old"]);
    }));

  test("leaves a file as it was where filling fails", () =>
    withFolder({ old: "before" }, async (folder) => {
      const failing = async (path: string): Promise<void> => {
        await writeFile(path, "half");
        throw new Error("broken");
      };
      await expect(replaceFile(join(folder, "old"), random, failing)).rejects.toThrow("broken");
      expect(await readFile(join(folder, "old"), "utf8")).toBe("before");
      expect(await readdir(folder)).toEqual(["old"]);
    }));

  test("replaces what a symbolic link names, and keeps the link", () =>
    withFolder({ real: "before" }, async (folder) => {
      await symlink("real", join(folder, "link"));
      await replaceFile(join(folder, "link"), random, filled("after"));
      expect((await lstat(join(folder, "link"))).isSymbolicLink()).toBe(true);
      expect(await readFile(join(folder, "real"), "utf8")).toBe("after");
    }));

  test("writes into a device, and refuses a folder with io-error", () =>
    withFolder({ "sub/file": "x" }, async (folder) => {
      await replaceFile("/dev/null", random, filled("gone"));
      expect((await lstat("/dev/null")).isCharacterDevice()).toBe(true);
      await expect(replaceFile(join(folder, "sub"), random, filled("x"))).rejects.toMatchObject({ code: "io-error" });
    }));
});
