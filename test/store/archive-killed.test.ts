import { expect, test } from "bun:test";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { ArchiveSource } from "../../src/store/archive-source.ts";
import { collect, Store } from "../../src/store/store.ts";
import { walk } from "../../src/store/walk.ts";
import { withFolder } from "../support/folder.ts";
import { testIo } from "../support/io.ts";
import { storePorts } from "../support/ports.ts";

const script = join(import.meta.dir, "../support/place-writer.ts");
const io = testIo();

/** Bytes of all files in the folder. */
async function bytesIn(folder: string): Promise<number> {
  let sum = 0;
  for (const name of await readdir(folder)) sum += (await stat(join(folder, name)).catch(() => ({ size: 0 }))).size;
  return sum;
}

async function isWhole(path: string): Promise<boolean> {
  if (!(await stat(path).catch(() => undefined))) return false;
  const source = new ArchiveSource(path, storePorts);
  const store = new Store(source);
  for await (const node of walk(store, [await store.resolve("1", io)], { referrers: "all" }, io)) {
    await collect(await store.stream(node, io), node.descriptor.size, "");
  }
  await source.close();
  return true;
}

test(
  "a writer of an archive killed at any byte leaves it absent or whole",
  () =>
    withFolder({}, async (folder) => {
      const path = join(folder, "x.tar");
      const layer = 2_500_000;
      let whole = false;
      for (const bytes of [1, 500_000, 2_499_999, 2_510_000, 4_700_000, 5_000_000, 5_003_000, 5_005_000]) {
        const before = await bytesIn(folder);
        const argv = [process.execPath, script, `oci-archive:${path}`, String(layer)];
        const writer = Bun.spawn(argv, { stdout: "ignore", stderr: "inherit", timeout: 60_000 });
        while (writer.exitCode === null && (await bytesIn(folder)) < before + bytes) await new Promise(setImmediate);
        writer.kill("SIGKILL");
        await writer.exited;
        const found = await isWhole(path);
        if (whole) expect(found).toBe(true);
        whole = found;
      }
      const last = Bun.spawn([process.execPath, script, `oci-archive:${path}`, String(layer)], { stdout: "ignore" });
      expect(await last.exited).toBe(0);
      expect(await isWhole(path)).toBe(true);
    }),
  60_000,
);
