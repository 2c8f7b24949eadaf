import { afterAll, beforeAll, expect, test } from "bun:test";
import { appendFileSync, cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Content, writeImage, writeIndex } from "../../../scripts/bench/content.ts";
import { checkPulled } from "../../../scripts/bench/verify.ts";
import { LayoutBackend } from "../../../src/store/layout.ts";
import { Store } from "../../../src/store/store.ts";
import { walk } from "../../../src/store/walk.ts";
import { testIo } from "../../support/io.ts";
import { storePorts } from "../../support/ports.ts";

let folder: string;
let content: Content;
let copies = 0;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "library-bench-"));
  content = await writeImage(join(folder, "content"), 2, 3000);
});
afterAll(() => rmSync(folder, { recursive: true }));

/** A copy of the content, as a tool leaves it. */
function pulled(): string {
  const copy = join(folder, `copy-${copies++}`);
  cpSync(content.folder, copy, { recursive: true });
  return copy;
}

function largestBlob(layout: string): string {
  const blobs = join(layout, "blobs", "sha256");
  const [largest = ""] = readdirSync(blobs).sort(
    (a, b) => Bun.file(join(blobs, b)).size - Bun.file(join(blobs, a)).size,
  );
  return join(blobs, largest);
}

test("writeIndex() writes a layout that is whole and the same each time", async () => {
  const first = await writeIndex(join(folder, "first"), 3, 2, 1000);
  const second = await writeIndex(join(folder, "second"), 3, 2, 1000);
  expect(second.digest).toBe(first.digest);
  const store = new Store(new LayoutBackend(first.folder, storePorts));
  const io = testIo();
  const root = await store.resolve("bench", io);
  expect(root.descriptor.digest).toBe(first.digest);
  let bytes = 0;
  let nodes = 0;
  for await (const step of walk(store, [root], { referrers: "none" }, io)) {
    bytes += (await store.bytes(step.kind, step.descriptor, 100_000, io)).byteLength;
    nodes++;
  }
  expect(nodes).toBe(1 + 3 * (1 + 1 + 2));
  expect(bytes).toBeGreaterThan(3 * 2 * 1000);
  await store.close();
});

test("checkPulled() accepts a whole copy", async () => {
  await checkPulled(content, pulled(), true);
});

test("checkPulled() refuses a layout that names another image", async () => {
  const layout = pulled();
  const index = join(layout, "index.json");
  writeFileSync(index, readFileSync(index, "utf8").replace(content.digest, `sha256:${"0".repeat(64)}`));
  await expect(checkPulled(content, layout, false)).rejects.toThrow("expected");
});

test("checkPulled() refuses a blob that is cut or changed", async () => {
  const longer = pulled();
  appendFileSync(largestBlob(longer), "x");
  await expect(checkPulled(content, longer, false)).rejects.toThrow("bytes, expected");
  const changed = pulled();
  const bytes = readFileSync(largestBlob(changed));
  bytes[100] = (bytes[100] ?? 0) ^ 1;
  writeFileSync(largestBlob(changed), bytes);
  await expect(checkPulled(content, changed, true)).rejects.toThrow("another digest");
});
