import { describe, expect, test } from "bun:test";
import type { Content } from "../../src/core/content.ts";
import { LibraryError } from "../../src/core/error.ts";
import { noteExhausted } from "../../src/core/exhausted.ts";
import { describe as describeBytes } from "../../src/oci/make.ts";
import { pump } from "../../src/store/pump.ts";
import { seededBytes } from "../support/graph.ts";
import { testIo } from "../support/io.ts";
import { streamOf } from "../support/stream-of.ts";

const right = seededBytes(3_000_000, 1);
const descriptor = describeBytes(right, "application/octet-stream");

function chunked(bytes: Uint8Array, size: number, failure?: Error): Content {
  return {
    size: -1,
    stream: async (offset = 0) =>
      streamOf(
        (function* () {
          for (let at = offset; at < bytes.byteLength; at += size) yield bytes.subarray(at, at + size);
        })(),
        failure,
      ),
  };
}

async function run(open: () => Promise<Content>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  const sink = async (chunk: Uint8Array): Promise<void> => void chunks.push(chunk.slice());
  await pump(open, descriptor, sink, testIo());
  return new Uint8Array(Buffer.concat(chunks));
}

describe.each([1000, 300_000])("pump() of chunks of %p bytes", (size) => {
  test("moves the right bytes", async () => {
    expect(Buffer.compare(await run(async () => chunked(right, size)), right)).toBe(0);
  });

  test.each([
    ["a turned bit", right.with(1_500_000, (right[1_500_000] ?? 0) ^ 1), "digest-mismatch"],
    ["a byte too few", right.subarray(0, -1), "size-mismatch"],
    ["a byte too many", new Uint8Array([...right, 0]), "size-mismatch"],
    ["no byte", new Uint8Array(0), "size-mismatch"],
  ])("refuses %s", async (_, bytes, code) => {
    await expect(run(async () => chunked(bytes, size))).rejects.toMatchObject({ code, exitStatus: 3 });
  });

  test("ends content that is too long without reading on", async () => {
    let reads = 0;
    const endless: Content = {
      size: -1,
      stream: async () =>
        new ReadableStream({
          pull(controller) {
            if (++reads > 5000) throw new Error("read on and on");
            controller.enqueue(right.subarray(0, size));
          },
        }),
    };
    await expect(run(async () => endless)).rejects.toMatchObject({ code: "size-mismatch" });
  });

  test("does not begin anew where the content has tried as often as allowed", async () => {
    const given = new LibraryError("network-error", "Cannot go on: the test cut it");
    noteExhausted(given);
    let opens = 0;
    const moves = run(async () => {
      opens++;
      return chunked(right.subarray(0, 1_200_000), size, given);
    });
    await expect(moves).rejects.toBe(given);
    expect(opens).toBe(1);
  });

  test("goes on at the missing byte after the connection broke", async () => {
    const cut = new LibraryError("network-error", "Cannot go on: the test cut it");
    const offsets: number[] = [];
    const parts = [chunked(right.subarray(0, 1_200_000), size, cut), chunked(right, size)];
    const moved = await run(async () => {
      const part = parts.shift() ?? chunked(right, size);
      return {
        ...part,
        stream: (offset) => {
          offsets.push(offset ?? 0);
          return part.stream(offset);
        },
      };
    });
    expect(offsets).toEqual([0, 1_200_000]);
    expect(Buffer.compare(moved, right)).toBe(0);
  });
});
