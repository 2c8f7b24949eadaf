import { expect, test } from "bun:test";
import { mkdir, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Staging } from "../../src/store/staging.ts";
import { filesBelow } from "../support/file-tree.ts";
import { withFolder } from "../support/folder.ts";
import { storePorts } from "../support/ports.ts";

test("removeStale() removes files that are older than asked, and nothing where there is nothing", () =>
  withFolder({ "old.tmp": "x" }, async (folder) => {
    await new Staging(folder, storePorts).removeStale(-1);
    expect(await filesBelow(folder)).toEqual([]);
    await new Staging(join(folder, "none"), storePorts).removeStale(-1);
  }));

test("removeStale() goes by when a file came here, not by how old its content is", () =>
  withFolder({}, async (folder) => {
    await mkdir(join(folder, "folder"));
    await writeFile(join(folder, "linked.tmp"), "x");
    await utimes(join(folder, "linked.tmp"), 1, 1);
    await new Staging(folder, storePorts).removeStale();
    expect(await filesBelow(folder)).toEqual(["linked.tmp"]);
  }));
