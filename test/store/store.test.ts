import { describe, expect, test } from "bun:test";
import type { Content } from "../../src/core/content.ts";
import type { Descriptor } from "../../src/oci/descriptor.ts";
import { describe as describeBytes, digestOf, makeManifest } from "../../src/oci/make.ts";
import type { Manifest } from "../../src/oci/manifest.ts";
import type { Source } from "../../src/store/backend.ts";
import { MemoryBackend } from "../../src/store/memory.ts";
import { bytesContent, check, Store } from "../../src/store/store.ts";
import { verifyStream } from "../../src/store/verify-stream.ts";
import { addImage, seededBytes } from "../support/graph.ts";
import { testIo } from "../support/io.ts";
import { streamOf } from "../support/stream-of.ts";
import { thrownBy } from "../support/thrown.ts";

const io = testIo();
const right = seededBytes(1000, 1);
const blob = describeBytes(right, "application/octet-stream");

/** Right bytes made wrong, and how that is called. */
const spoils: readonly (readonly [string, (bytes: Uint8Array) => Uint8Array, string])[] = [
  ["a turned bit", (bytes) => bytes.with(-2, (bytes.at(-2) ?? 0) ^ 1), "digest-mismatch"],
  ["a byte too few", (bytes) => bytes.subarray(0, -1), "size-mismatch"],
  ["a byte too many", (bytes) => new Uint8Array([...bytes, 0x20]), "size-mismatch"],
  ["nothing", () => new Uint8Array(0), "size-mismatch"],
];

/** A place that hands out `bytes` for everything, in chunks, and does not say how many. */
function liar(bytes: Uint8Array, manifest?: Manifest): Source {
  const content: Content = {
    size: -1,
    stream: async () => streamOf([bytes.subarray(0, 400), bytes.subarray(400)]),
  };
  const memory = new MemoryBackend("liar");
  return {
    name: "liar",
    location: undefined,
    resolve: async () => manifest && { descriptor: manifest.descriptor, bytes },
    stat: async () => undefined,
    read: async () => content,
    list: () => memory.list(),
    referrers: (subject, filter) => memory.referrers(subject, filter),
    close: async () => {},
  };
}

async function chunksOf(
  stream: ReadableStream<Uint8Array>,
): Promise<{ readonly chunks: Uint8Array[]; error?: unknown }> {
  const chunks: Uint8Array[] = [];
  try {
    for await (const chunk of stream) chunks.push(chunk);
    return { chunks };
  } catch (error) {
    return { chunks, error };
  }
}

describe("check()", () => {
  test("lets the right bytes pass", () => {
    check(right, blob, "it");
    check(right, describeBytes(right, "text/plain", "sha512"), "it");
  });

  test.each(spoils)("refuses %s", (_, spoil, code) => {
    for (const algorithm of ["sha256", "sha512"] as const) {
      const descriptor = describeBytes(right, "text/plain", algorithm);
      expect(thrownBy(() => check(spoil(right), descriptor, "it"))).toMatchObject({ code, exitStatus: 3 });
    }
  });

  test("refuses a digest that it cannot compute", () => {
    const descriptor: Descriptor = { ...blob, digest: `md5:${"0".repeat(32)}` };
    expect(thrownBy(() => check(right, descriptor, "it"))).toMatchObject({ code: "unsupported-digest" });
  });
});

describe("verifyStream()", () => {
  const through = (bytes: Uint8Array) =>
    streamOf([bytes.subarray(0, 400), bytes.subarray(400)]).pipeThrough(verifyStream(blob, "it"));

  test("passes the right bytes on", async () => {
    const { chunks, error } = await chunksOf(through(right));
    expect(error).toBeUndefined();
    expect(Buffer.compare(Buffer.concat(chunks), right)).toBe(0);
  });

  test.each(spoils)("fails for %s before its last chunk", async (_, spoil, code) => {
    const spoiled = spoil(right);
    const { chunks, error } = await chunksOf(through(spoiled));
    expect(error).toMatchObject({ code });
    expect(Buffer.concat(chunks).byteLength).toBeLessThan(Math.max(1, Math.min(spoiled.byteLength, right.byteLength)));
  });

  test("ends a stream that is too long without waiting for its end", async () => {
    let pulls = 0;
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (++pulls > 100) throw new Error("read on and on");
        controller.enqueue(right);
      },
    });
    const { error } = await chunksOf(endless.pipeThrough(verifyStream(blob, "it")));
    expect(error).toMatchObject({ code: "size-mismatch" });
  });
});

describe("Store hands out nothing unchecked", () => {
  const image = addImage(new MemoryBackend());

  test.each(spoils)("of a blob with %s", async (_, spoil, code) => {
    const store = new Store(liar(spoil(right)));
    await expect(store.bytes("blob", blob, 5000, io)).rejects.toMatchObject({ code });
    const { error } = await chunksOf(await store.stream({ kind: "blob", descriptor: blob }, io));
    expect(error).toMatchObject({ code });
  });

  test.each(spoils)("of a manifest with %s, asked for by tag or by descriptor", async (_, spoil, code) => {
    // What is spoiled parses, so that only the check can tell
    const bytes = new TextEncoder().encode(`${new TextDecoder().decode(image.bytes)}   `);
    const manifest = { ...image, bytes, descriptor: describeBytes(bytes, image.descriptor.mediaType) };
    const turned = code === "digest-mismatch" ? bytes.with(-1, 0x0a) : spoil(bytes);
    const store = new Store(liar(turned, manifest));
    await expect(store.resolve("1", io)).rejects.toMatchObject({ code });
    await expect(store.manifest(manifest.descriptor, io)).rejects.toMatchObject({ code });
  });

  test("of a manifest that is another one, which keeps asking for it", async () => {
    const other = makeManifest({ ...image.value, annotations: { "org.example": "other" } });
    const store = new Store(liar(other.bytes));
    const asked = { ...image.descriptor, size: other.descriptor.size };
    for (let time = 0; time < 2; time++) {
      await expect(store.manifest(asked, io)).rejects.toMatchObject({ code: "digest-mismatch" });
    }
  });

  test("of content that says that it has another size", async () => {
    const source = { ...liar(right), read: async () => bytesContent(right.subarray(1)) };
    const opening = new Store(source).open({ kind: "blob", descriptor: blob }, io);
    await expect(opening).rejects.toMatchObject({ code: "size-mismatch" });
  });

  test("beyond the bounds of what is held in memory", async () => {
    const store = new Store(liar(right));
    await expect(store.bytes("blob", blob, 999, io)).rejects.toMatchObject({ code: "limit-exceeded" });
    const large = { mediaType: image.descriptor.mediaType, digest: digestOf("x"), size: 5 * 1024 * 1024 };
    await expect(store.manifest(large, io)).rejects.toMatchObject({ code: "limit-exceeded" });
  });
});
