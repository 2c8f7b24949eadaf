import { describe, expect, test } from "bun:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { type Compression, compress, decompress, detectCompression, rechunk } from "../../src/tar/codec.ts";
import { chunks, collected } from "../support/bytes.ts";
import { seededBytes } from "../support/graph.ts";

const options = { name: "layer", maxBytes: 10_000_000 };
const content = seededBytes(300_000, 1);
const packers = { gzip: gzipSync, zstd: zstdCompressSync } as const;

describe.each(["gzip", "zstd"] as const)("%s", (compression: Compression) => {
  test("compress() gives equal bytes however its input is cut", async () => {
    const whole = await collected(compress(chunks(content, 300_000), compression));
    for (const size of [1, 1000, 65_536]) {
      expect(
        Buffer.compare(
          await collected(compress(chunks(content.subarray(0, 90_000), size), compression)),
          await collected(compress(chunks(content.subarray(0, 90_000)), compression)),
        ),
      ).toBe(0);
    }
    expect(detectCompression(whole)).toBe(compression);
    expect(Buffer.compare(await collected(decompress(chunks(whole, 777), compression, options)), content)).toBe(0);
  });

  test("decompress() joins what follows a first member", async () => {
    const two = Buffer.concat([packers[compression]("first "), packers[compression]("second")]);
    for (const size of [1, 7, 10_000]) {
      expect(Buffer.from(await collected(decompress(chunks(two, size), compression, options))).toString()).toBe(
        "first second",
      );
    }
  });

  test("decompress() refuses a stream that is cut at any place", async () => {
    const packed = packers[compression](content.subarray(0, 1000));
    for (let length = 1; length < packed.byteLength; length += 17) {
      await expect(
        collected(decompress(chunks(packed.subarray(0, length)), compression, options)),
      ).rejects.toMatchObject({ code: "malformed-archive" });
    }
  });

  test.each([1, 65_536])("decompress() refuses what follows the end, in chunks of %d", async (size) => {
    const packed = Buffer.concat([packers[compression](content.subarray(0, 500)), Buffer.from("GARBAGE")]);
    await expect(collected(decompress(chunks(packed, size), compression, options))).rejects.toMatchObject({
      code: "malformed-archive",
    });
  });

  test("decompress() stops at its limit", async () => {
    const bomb = packers[compression](new Uint8Array(5_000_000));
    const limited = { name: "bomb", maxBytes: 1_000_000 };
    await expect(collected(decompress(chunks(bomb), compression, limited))).rejects.toMatchObject({
      code: "limit-exceeded",
    });
  });

  test("compress() passes on what its source throws", async () => {
    async function* failing(): AsyncGenerator<Uint8Array> {
      yield content;
      throw new RangeError("the source broke");
    }
    await expect(collected(compress(failing(), compression))).rejects.toThrow(RangeError);
  });
});

test("decompress() reads zstd with skippable frames and without content size or checksum", async () => {
  const skippable = Buffer.from([0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]);
  const streamed = await collected(compress(chunks(new Uint8Array(1000)), "zstd"));
  const packed = Buffer.concat([skippable, zstdCompressSync("a"), skippable, streamed]);
  expect(detectCompression(packed)).toBe("zstd");
  expect((await collected(decompress(chunks(packed, 3), "zstd", options))).byteLength).toBe(1001);
});

test("detectCompression() takes a tar, and nothing, for uncompressed", () => {
  expect(detectCompression(new Uint8Array(4))).toBe("none");
  expect(detectCompression(new Uint8Array(0))).toBe("none");
});

test("rechunk() gives full chunks and a rest, none of them shared", async () => {
  const sizes: number[] = [];
  const buffers = new Set<ArrayBufferLike>();
  for await (const chunk of rechunk(chunks(content, 1000))) {
    sizes.push(chunk.byteLength);
    buffers.add(chunk.buffer);
  }
  expect(sizes).toEqual([65_536, 65_536, 65_536, 65_536, 300_000 - 4 * 65_536]);
  expect(buffers.size).toBe(5);
});
