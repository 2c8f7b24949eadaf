import { describe, expect, test } from "bun:test";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { type DecompressionLimits, decompress } from "../../src/store/decompress.ts";
import { readRange } from "../../src/store/file-content.ts";
import { withFolder } from "../support/folder.ts";
import { seededBytes } from "../support/graph.ts";
import { testIo } from "../support/io.ts";
import { storePorts } from "../support/ports.ts";

const compressions = [
  ["gzip", (bytes: Uint8Array) => new Uint8Array(gzipSync(bytes))],
  ["zstd", (bytes: Uint8Array) => new Uint8Array(zstdCompressSync(bytes))],
] as const;
const bytes = seededBytes(3_000_000, 1);
const zeros = new Uint8Array(3_000_000);

describe.each(compressions)("decompress() of %s", (compression, pack) => {
  async function unpack(packed: Uint8Array, limits: DecompressionLimits, use: (plain: Uint8Array) => void) {
    await withFolder({ packed }, async (folder) => {
      const options = { ...limits, name: "packed", folder, random: storePorts.random };
      try {
        const plain = await decompress(join(folder, "packed"), compression, options, testIo());
        try {
          use(await readRange(plain.handle, 0, plain.size, "plain"));
        } finally {
          await plain.close();
        }
      } finally {
        expect(await readdir(folder)).toEqual(["packed"]);
      }
    });
  }

  test.each<[string, Uint8Array, DecompressionLimits]>([
    ["what fits", bytes, { maxBytes: bytes.byteLength }],
    ["what packs well, below the size of which no ratio is asked", zeros, { maxRatio: 10 }],
    ["what packs badly, above it", bytes, { maxRatio: 10, freeBytes: 0 }],
    ["nothing", new Uint8Array(0), {}],
  ])("gives the bytes of %s", async (_, plain, limits) => {
    let found: Uint8Array | undefined;
    await unpack(pack(plain), limits, (whole) => {
      found = whole;
    });
    expect(found && Buffer.compare(found, plain)).toBe(0);
  });

  test.each<[string, Uint8Array, DecompressionLimits]>([
    ["more bytes than allowed", bytes, { maxBytes: bytes.byteLength - 1 }],
    ["more bytes for each one than allowed", zeros, { maxRatio: 10, freeBytes: 1_000_000 }],
  ])("fails with limit-exceeded for %s, and leaves nothing", async (_, plain, limits) => {
    await expect(unpack(pack(plain), limits, () => {})).rejects.toMatchObject({ code: "limit-exceeded" });
  });

  test("fails with malformed-archive for what is cut off or no such data, and leaves nothing", async () => {
    for (const broken of [pack(bytes).subarray(0, 1_000_000), bytes]) {
      await expect(unpack(broken, {}, () => {})).rejects.toMatchObject({ code: "malformed-archive" });
    }
  });
});
