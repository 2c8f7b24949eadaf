import { rm } from "node:fs/promises";
import { join } from "node:path";
import { ArchiveSource } from "../../src/store/archive-source.ts";
import { ArchiveTarget } from "../../src/store/archive-target.ts";
import { LayoutBackend } from "../../src/store/layout.ts";
import { MemoryBackend } from "../../src/store/memory.ts";
import { fill } from "../contract/sample.ts";
import { describeSource, type OpenSource } from "../contract/source.ts";
import { describeRewriting, describeTarget, type TargetPlace } from "../contract/target.ts";
import { filesBelow, newFolder } from "../support/file-tree.ts";
import { storePorts } from "../support/ports.ts";

const openMemory = async (): Promise<TargetPlace> => {
  const target = new MemoryBackend();
  return { target, read: async () => target, remains: async () => [], close: () => target.close() };
};

const openLayout = async (): Promise<TargetPlace> => {
  const folder = await newFolder();
  const path = join(folder, "layout");
  return {
    target: new LayoutBackend(path, storePorts),
    // Before its first commit a folder is no layout
    read: async () =>
      (await filesBelow(path)).includes("oci-layout") ? new LayoutBackend(path, storePorts) : undefined,
    remains: async () => {
      const files = await filesBelow(path);
      return files.filter((file) => !/^(?:oci-layout|index\.json|\.lock|blobs\/sha\d+\/[0-9a-f]+)$/.test(file));
    },
    close: () => rm(folder, { recursive: true }),
  };
};

const openArchive = (name: string) => async (): Promise<TargetPlace> => {
  const folder = await newFolder();
  const path = join(folder, name);
  const opened: ArchiveSource[] = [];
  return {
    target: new ArchiveTarget(path, storePorts),
    read: async () => {
      if (!(await filesBelow(folder)).includes(name)) return undefined;
      const source = new ArchiveSource(path, storePorts);
      opened.push(source);
      return source;
    },
    remains: async () => (await filesBelow(folder)).filter((file) => file !== name),
    close: async () => {
      for (const source of opened) await source.close();
      await rm(folder, { recursive: true });
    },
  };
};

/** The reading half runs over what the writing half wrote. */
const filled =
  (open: () => Promise<TargetPlace>): OpenSource =>
  async (backend, roots) => {
    const place = await open();
    await fill(place.target, backend, roots);
    const source = await place.read();
    if (source === undefined) throw new Error("nothing was written");
    return { source, close: place.close };
  };

describeSource("MemoryBackend", filled(openMemory));
describeTarget("MemoryBackend", openMemory);
describeRewriting("MemoryBackend", openMemory);

describeSource("LayoutBackend", filled(openLayout));
describeTarget("LayoutBackend", openLayout);
describeRewriting("LayoutBackend", openLayout);

for (const name of ["image.tar", "image.tar.gz", "image.tar.zst"]) {
  describeSource(`an archive ${name}`, filled(openArchive(name)));
  describeTarget(`an archive ${name}`, openArchive(name));
}
