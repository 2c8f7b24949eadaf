import { expect, test } from "bun:test";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { LayoutBackend } from "../../src/store/layout.ts";
import { collect, Store } from "../../src/store/store.ts";
import { walk } from "../../src/store/walk.ts";
import { filesBelow } from "../support/file-tree.ts";
import { withFolder } from "../support/folder.ts";
import { testIo } from "../support/io.ts";
import { storePorts } from "../support/ports.ts";

const io = testIo();
const script = join(import.meta.dir, "../support/tag-writer.ts");

function startWriter(layout: string, name: string, count: number) {
  const argv = [process.execPath, script, layout, name, String(count)];
  return Bun.spawn(argv, { stdout: "pipe", stderr: "inherit", timeout: 120_000 });
}

async function tagsOf(layout: LayoutBackend): Promise<readonly string[]> {
  return (await Array.fromAsync(layout.list(io))).flatMap(({ tag }) => tag ?? []).sort();
}

test(
  "20 processes that add 50 tags each to one layout lose none",
  () =>
    withFolder({}, async (folder) => {
      const path = join(folder, "layout");
      const names = Array.from({ length: 20 }, (_, at) => `process${at}`);
      const statuses = await Promise.all(names.map((name) => startWriter(path, name, 50).exited));
      expect(statuses).toEqual(names.map(() => 0));
      const wanted = names.flatMap((name) => Array.from({ length: 50 }, (_, at) => `${name}-${at}`)).sort();
      expect(await tagsOf(new LayoutBackend(path, storePorts))).toEqual(wanted);
      expect(await filesBelow(join(path, ".partial"))).toEqual([]);
    }),
  180_000,
);

test(
  "a writer killed at any moment leaves a layout that is whole, without its lock, and with every tag it told of",
  () =>
    withFolder({}, async (folder) => {
      const path = join(folder, "layout");
      const told: string[] = [];
      for (let round = 0; round < 15; round++) {
        const writer = startWriter(path, `round${round}`, 1000);
        const decoder = new TextDecoder();
        let lines = 0;
        for await (const chunk of writer.stdout) {
          const text = decoder.decode(chunk, { stream: true });
          told.push(...text.split("\n").filter((line) => line !== ""));
          lines += text.split("\n").length - 1;
          // Killed at different distances into the commit that follows
          if (lines > round % 3) {
            for (let spin = 0; spin < round * 20_000; spin++) Math.sqrt(spin);
            writer.kill("SIGKILL");
          }
        }
        await writer.exited;
        const store = new Store(new LayoutBackend(path, storePorts));
        const tags = await tagsOf(new LayoutBackend(path, storePorts));
        for (const tag of told) expect(tags).toContain(tag);
        for (const tag of tags) {
          const root = await store.resolve(tag, io);
          for await (const node of walk(store, [root], { referrers: "none" }, io)) {
            await collect(await store.stream(node, io), node.descriptor.size, "");
          }
        }
      }
      const last = startWriter(path, "last", 1);
      expect(await last.exited).toBe(0);
      expect(await tagsOf(new LayoutBackend(path, storePorts))).toContain("last-0");
      expect((await readdir(folder)).filter((name) => name !== "layout")).toEqual([]);
    }),
  180_000,
);
