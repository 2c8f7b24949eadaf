import { expect, test } from "bun:test";
import { requireLayerKind } from "../../src/image/layer-kind.ts";
import { tarEnd, tarHeader } from "../../src/tar/header.ts";
import { withFolder } from "../support/folder.ts";

const header = Uint8Array.from(tarHeader({ path: "f", type: "file", mode: 0o644, uid: 0, gid: 0, size: 0, mtime: 0 }));
const version7 = (() => {
  const block = new Uint8Array(512);
  block.set(header.subarray(0, 148));
  block.fill(0x20, 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.set(Buffer.from(`${sum.toString(8).padStart(6, "0")}\0 `), 148);
  return block;
})();

test.each<[string, Uint8Array]>([
  ["a tar", header],
  ["a tar without a magic number", version7],
  ["a tar without entries", tarEnd],
  ["gzip", Bun.gzipSync(header)],
  ["zstd", Bun.zstdCompressSync(header)],
])("requireLayerKind() accepts %s", async (_, bytes) => {
  await withFolder({ file: bytes }, async (cwd) => expect(await requireLayerKind("file", cwd)).toBeUndefined());
});

test.each<[string, string | Uint8Array]>([
  ["an empty file", ""],
  ["a short text", "#!/bin/sh\n"],
  ["a long text", "text ".repeat(1000)],
  ["a tar with a wrong checksum", header.map((byte, at) => (at === 0 ? byte + 1 : byte))],
])("requireLayerKind() refuses %s, and says to put it into a folder", async (_, bytes) => {
  await withFolder({ file: bytes }, async (cwd) => {
    const refused = requireLayerKind("file", cwd);
    await expect(refused).rejects.toMatchObject({ code: "invalid-input", hint: expect.stringContaining("folder") });
  });
});

test("requireLayerKind() proposes a slash for a prefix that has none", async () => {
  await withFolder({ "dist/f": "" }, async (cwd) => {
    const refused = requireLayerKind("dist:app", cwd);
    await expect(refused).rejects.toMatchObject({ code: "invalid-input", hint: expect.stringContaining("/app") });
    await expect(requireLayerKind("dust:app", cwd)).rejects.toMatchObject({ hint: undefined });
    await requireLayerKind("dist", cwd);
  });
});
