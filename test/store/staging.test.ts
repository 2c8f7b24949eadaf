import { expect, test } from "bun:test";
import { mkdir, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Content } from "../../src/core/content.ts";
import { LibraryError } from "../../src/core/error.ts";
import { noteExhausted } from "../../src/core/exhausted.ts";
import { describe as describeBytes } from "../../src/oci/make.ts";
import { Staging } from "../../src/store/staging.ts";
import { filesBelow } from "../support/file-tree.ts";
import { withFolder } from "../support/folder.ts";
import { seededBytes } from "../support/graph.ts";
import { testIo } from "../support/io.ts";
import { storePorts } from "../support/ports.ts";

test("removeStale() removes files that are older than asked, and nothing where there is nothing", () =>
  withFolder({ "old.0123456789abcdef.tmp": "x", "thesis.txt": "x" }, async (folder) => {
    await new Staging(folder, storePorts).removeStale(-1);
    expect(await filesBelow(folder)).toEqual(["thesis.txt"]);
    await new Staging(join(folder, "none"), storePorts).removeStale(-1);
  }));

test("removeStale() goes by when a file came here, not by how old its content is", () =>
  withFolder({}, async (folder) => {
    await mkdir(join(folder, "folder"));
    await writeFile(join(folder, "linked.0123456789abcdef.tmp"), "x");
    await utimes(join(folder, "linked.0123456789abcdef.tmp"), 1, 1);
    await new Staging(folder, storePorts).removeStale();
    expect(await filesBelow(folder)).toEqual(["linked.0123456789abcdef.tmp"]);
  }));

test("stage() does not begin anew where the content has tried as often as allowed", () =>
  withFolder({}, async (folder) => {
    const descriptor = describeBytes(seededBytes(2_000_000, 1), "application/octet-stream");
    const given = new LibraryError("network-error", "Cannot go on: the test cut it");
    noteExhausted(given);
    let saves = 0;
    const content: Content = {
      size: descriptor.size,
      stream: async () => new ReadableStream(),
      saveTo: async () => {
        saves++;
        throw given;
      },
    };
    const stages = new Staging(folder, storePorts).stage(descriptor, async () => content, testIo());
    await expect(stages).rejects.toBe(given);
    expect(saves).toBe(1);
  }));
