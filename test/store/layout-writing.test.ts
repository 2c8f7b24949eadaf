import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { blobPath } from "../../src/oci/layout.ts";
import { FolderFiles } from "../../src/store/folder-files.ts";
import { LayoutBackend } from "../../src/store/layout.ts";
import { withoutEntries } from "../../src/store/layout-index.ts";
import { LayoutReader } from "../../src/store/layout-reader.ts";
import { changeLayoutIndex } from "../../src/store/layout-writing.ts";
import { Staging } from "../../src/store/staging.ts";
import { bytesContent } from "../../src/store/store.ts";
import { fill, makeSample, sampleRoots } from "../contract/sample.ts";
import { filesBelow } from "../support/file-tree.ts";
import { withFolder } from "../support/folder.ts";
import { testIo } from "../support/io.ts";
import { storePorts } from "../support/ports.ts";

const io = testIo();

describe("LayoutWriting.commit()", () => {
  test.each(["write", "has"] as const)(
    "fails with blob-missing and lists nothing when what %s() found was removed since",
    (way) =>
      withFolder({}, async (folder) => {
        const { backend, image, index } = makeSample();
        const layout = new LayoutBackend(folder, storePorts);
        await fill(layout, backend, [{ manifest: index, tag: "multi" }, { manifest: image }]);
        const before = new LayoutBackend(folder, storePorts);
        const writing = await layout.begin(io);
        const node = { kind: "manifest", descriptor: image.descriptor } as const;
        if (way === "has") expect(await writing.has(node)).toBe(true);
        else expect(await writing.write(node, async () => bytesContent(image.bytes))).toBe("present");
        await before.remove({ kind: "manifest", digest: image.descriptor.digest }, io);
        expect(existsSync(join(folder, blobPath(image.descriptor.digest)))).toBe(false);
        const listed = await readFile(join(folder, "index.json"), "utf8");
        await expect(writing.commit([{ manifest: index, tag: "2" }])).rejects.toMatchObject({
          code: "blob-missing",
          hint: expect.stringContaining("again"),
        });
        await writing.abort({ keepPartial: false });
        expect(await readFile(join(folder, "index.json"), "utf8")).toBe(listed);
      }),
  );
});

describe("LayoutBackend.remove()", () => {
  test.each(["manifest", "blob"] as const)("unlinks the file of a %s before it gives back the lock", (kind) =>
    withFolder({}, async (folder) => {
      const sample = makeSample();
      await fill(new LayoutBackend(folder, storePorts), sample.backend, sampleRoots(sample));
      const layer = "layers" in sample.image.value ? sample.image.value.layers[0] : undefined;
      const digest = kind === "manifest" ? sample.image.descriptor.digest : layer?.digest;
      if (!digest) throw new Error("the sample has a layer");
      const file = join(folder, blobPath(digest));
      expect(existsSync(file)).toBe(true);
      const seen: boolean[] = [];
      const lock: typeof storePorts.lock = {
        exclusive: async (path, given, body) =>
          storePorts.lock.exclusive(path, given, async () => {
            const result = await body();
            seen.push(existsSync(file));
            return result;
          }),
      };
      await new LayoutBackend(folder, { ...storePorts, lock }).remove({ kind, digest }, io);
      expect(seen).toEqual([false]);
    }),
  );

  test("of a blob says not-found where there is no layout, and makes none", () =>
    withFolder({}, async (folder) => {
      const layout = new LayoutBackend(join(folder, "none"), storePorts);
      const removes = layout.remove({ kind: "blob", digest: makeSample().image.descriptor.digest }, io);
      await expect(removes).rejects.toMatchObject({ code: "not-found" });
      expect(existsSync(join(folder, "none"))).toBe(false);
    }));
});

test("changeLayoutIndex() leaves no temporary file where index.json cannot be replaced", () =>
  withFolder({}, async (folder) => {
    const sample = makeSample();
    await fill(new LayoutBackend(folder, storePorts), sample.backend, sampleRoots(sample));
    const files = new FolderFiles(folder);
    const place = { root: folder, files, reader: new LayoutReader(files), lock: storePorts.lock };
    const change = changeLayoutIndex(place, new Staging(join(folder, ".partial"), storePorts), io, async (index) => {
      await rm(join(folder, "index.json"));
      await mkdir(join(folder, "index.json"));
      return withoutEntries(index, () => true);
    });
    await expect(change).rejects.toMatchObject({ code: "io-error" });
    expect(await filesBelow(join(folder, ".partial"))).toEqual([]);
  }));
