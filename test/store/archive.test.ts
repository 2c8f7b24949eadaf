import { describe, expect, test } from "bun:test";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { LibraryError } from "../../src/core/error.ts";
import { hexOf } from "../../src/core/hashing.ts";
import { describe as describeBytes } from "../../src/oci/make.ts";
import { ArchiveSource } from "../../src/store/archive-source.ts";
import { ArchiveTarget } from "../../src/store/archive-target.ts";
import { copy } from "../../src/store/copy.ts";
import { LayoutBackend } from "../../src/store/layout.ts";
import { MemoryBackend } from "../../src/store/memory.ts";
import { bytesContent, collect, Store } from "../../src/store/store.ts";
import { walk } from "../../src/store/walk.ts";
import { fill, makeSample, sampleRoots } from "../contract/sample.ts";
import { filesBelow } from "../support/file-tree.ts";
import { withFolder } from "../support/folder.ts";
import { addImage, seededBytes } from "../support/graph.ts";
import { testIo } from "../support/io.ts";
import { storePorts } from "../support/ports.ts";
import { makeTar, type TarPart } from "../support/tar.ts";

const io = testIo();
const marker: TarPart = { name: "oci-layout", content: '{"imageLayoutVersion":"1.0.0"}' };
const emptyIndex: TarPart = { name: "index.json", content: '{"schemaVersion":2,"manifests":[]}' };

async function resolveOnly(path: string, reference?: string) {
  const source = new ArchiveSource(path, storePorts);
  try {
    return await source.resolve(reference, io);
  } finally {
    await source.close();
  }
}

describe("ArchiveSource", () => {
  test.each<[string, readonly TarPart[], string]>([
    [
      "a Docker archive",
      [
        { name: "manifest.json", content: "[]" },
        { name: "repositories", content: "{}" },
      ],
      "unsupported-content",
    ],
    [
      "a Docker archive with links, as older ones have",
      [
        { name: "x/layer.tar", type: "2", linkName: "../y" },
        { name: "manifest.json", content: "[]" },
      ],
      "unsupported-content",
    ],
    [
      "a link beside manifest.json and a layout",
      [{ name: "x", type: "2", linkName: "y" }, { name: "manifest.json", content: "[]" }, marker, emptyIndex],
      "malformed-archive",
    ],
    ["a tar of something else", [{ name: "etc/passwd", content: "x" }], "malformed-archive"],
    ["a layout without index.json", [marker], "malformed-content"],
    [
      "a layout of version 2",
      [{ ...marker, content: '{"imageLayoutVersion":"2.0.0"}' }, emptyIndex],
      "malformed-content",
    ],
    ["a hostile tar", [marker, emptyIndex, { name: "blobs", type: "2", linkName: "/etc" }], "malformed-archive"],
  ])("refuses %s", (_, parts, code) =>
    withFolder({ "x.tar": makeTar(parts) }, async (folder) => {
      await expect(resolveOnly(join(folder, "x.tar"))).rejects.toMatchObject({ code });
    }),
  );

  test("says how to convert a Docker archive", () =>
    withFolder({ "x.tar": makeTar([{ name: "manifest.json", content: "[]" }]) }, async (folder) => {
      await expect(resolveOnly(join(folder, "x.tar"))).rejects.toMatchObject({
        hint: expect.stringContaining("skopeo copy docker-archive:"),
      });
    }));

  test("reads a Docker archive that carries a layout, with ./ before its paths", () => {
    const { image, backend } = makeSample();
    const entry = { ...image.descriptor, annotations: { "org.opencontainers.image.ref.name": "1" } };
    const parts: TarPart[] = [
      { name: "./" },
      { name: "./manifest.json", content: "[]" },
      { name: "./oci-layout", content: String(marker.content) },
      { name: "./index.json", content: JSON.stringify({ schemaVersion: 2, manifests: [entry] }) },
      { name: `./blobs/${image.descriptor.digest.replace(":", "/")}`, content: image.bytes },
    ];
    return withFolder({ "x.tar": makeTar(parts) }, async (folder) => {
      expect((await resolveOnly(join(folder, "x.tar"), "1"))?.bytes).toEqual(image.bytes);
      const source = new ArchiveSource(join(folder, "x.tar"), storePorts);
      const root = await new Store(source).resolve("1", io);
      const plan = walk(new Store(source), [root], { referrers: "none" }, io);
      const absent: string[] = [];
      for await (const { kind, descriptor } of plan) {
        if ((await source.read(kind, descriptor.digest, io)) === undefined) absent.push(descriptor.digest);
      }
      expect(absent).toHaveLength(2); // As sparse as a layout may be
      expect(backend.name).toBe("sample");
      await source.close();
    });
  });

  test("says not-found for no file and for a folder", () =>
    withFolder({}, async (folder) => {
      await expect(resolveOnly(join(folder, "none.tar"))).rejects.toMatchObject({ code: "not-found" });
      const asFolder = resolveOnly(folder);
      await expect(asFolder).rejects.toMatchObject({ code: "not-found", hint: expect.stringContaining("oci:") });
    }));

  test("says not-found for a pipe that nobody writes to, without waiting", () =>
    withFolder({}, async (folder) => {
      const pipe = join(folder, "x.tar");
      expect(Bun.spawnSync(["mkfifo", pipe]).success).toBe(true);
      await expect(resolveOnly(pipe)).rejects.toMatchObject({ code: "not-found" });
    }));

  test.each(["gzip", "zstd"] as const)("refuses %s data that is cut or broken, and leaves no file", (compression) =>
    withFolder({}, async (folder) => {
      const tar = makeTar([marker, emptyIndex, { name: "x", content: Buffer.alloc(100_000, "abc") }]);
      const whole = compression === "gzip" ? gzipSync(tar) : zstdCompressSync(tar);
      const broken = Buffer.from(whole).fill(0x55, 20, 60);
      await mkdir(join(folder, "temporary"));
      for (const bytes of [whole.subarray(0, whole.byteLength - 10), broken]) {
        await writeFile(join(folder, "x.tar"), bytes);
        const source = new ArchiveSource(join(folder, "x.tar"), storePorts, {
          temporaryFolder: join(folder, "temporary"),
        });
        await expect(source.resolve(undefined, io)).rejects.toMatchObject({ code: "malformed-archive" });
        await source.close();
        expect(await filesBelow(join(folder, "temporary"))).toEqual([]);
      }
    }),
  );

  test.each(["gzip", "zstd"] as const)("stops %s bombs at the bound, and leaves no file", (compression) =>
    withFolder({}, async (folder) => {
      const zeros = Buffer.alloc(10 * 1024 * 1024);
      await writeFile(join(folder, "x.tar"), compression === "gzip" ? gzipSync(zeros) : zstdCompressSync(zeros));
      await mkdir(join(folder, "temporary"));
      const options = { temporaryFolder: join(folder, "temporary"), maxBytes: 1024 * 1024 };
      const source = new ArchiveSource(join(folder, "x.tar"), storePorts, options);
      await expect(source.resolve(undefined, io)).rejects.toMatchObject({ code: "limit-exceeded" });
      await source.close();
      expect(await filesBelow(join(folder, "temporary"))).toEqual([]);
    }),
  );

  test("keeps no named temporary file while it reads, and several readers do not disturb each other", () =>
    withFolder({}, async (folder) => {
      const sample = makeSample();
      await fill(new ArchiveTarget(join(folder, "x.tar.gz"), storePorts), sample.backend, sampleRoots(sample));
      await mkdir(join(folder, "temporary"));
      const options = { temporaryFolder: join(folder, "temporary") };
      const sources = [1, 2].map(() => new ArchiveSource(join(folder, "x.tar.gz"), storePorts, options));
      const [one, two] = sources;
      if (!one || !two) throw new Error("there are two");
      const found = await Promise.all([one.resolve("multi", io), two.resolve("single", io), one.resolve("single", io)]);
      expect(found.map((raw) => raw?.descriptor.digest)).toEqual([
        sample.index.descriptor.digest,
        sample.image.descriptor.digest,
        sample.image.descriptor.digest,
      ]);
      expect(await filesBelow(join(folder, "temporary"))).toEqual([]);
      await Promise.all(sources.map((source) => source.close()));
    }));
});

describe("ArchiveTarget", () => {
  test.each(["x.tar", "x.tar.gz", "x.tgz", "x.tar.zst"])(
    "writes equal bytes for equal graphs, whatever they come from: %s",
    (name) =>
      withFolder({}, async (folder) => {
        const sample = makeSample();
        const roots = sampleRoots(sample);
        await mkdir(join(folder, "again"));
        await fill(new ArchiveTarget(join(folder, name), storePorts), sample.backend, roots);
        const layout = new LayoutBackend(join(folder, "layout"), storePorts);
        await fill(layout, sample.backend, [{ manifest: sample.image, tag: "single" }]);
        await fill(layout, sample.backend, [{ manifest: sample.index, tag: "multi" }]);
        const store = new Store(layout);
        const entries = [];
        for (const tag of ["single", "multi"]) entries.push({ manifest: await store.resolve(tag, io), tag });
        const plan = walk(
          store,
          entries.map(({ manifest }) => manifest),
          { referrers: "all" },
          io,
        );
        await copy(plan, new ArchiveTarget(join(folder, "again", name), storePorts), { entries }, io);
        const [one, two] = [await readFile(join(folder, name)), await readFile(join(folder, "again", name))];
        expect(hexOf("sha256", one)).toBe(hexOf("sha256", two));
        const start = Buffer.from(one.subarray(0, 2)).toString("hex");
        expect(start).toBe(name.endsWith("gz") ? "1f8b" : name.endsWith("zst") ? "28b5" : "626c");
      }),
  );

  test("writes its entries in order, without times and owners", () =>
    withFolder({}, async (folder) => {
      const backend = new MemoryBackend();
      const image = addImage(backend, { layers: 3 });
      await fill(new ArchiveTarget(join(folder, "x.tar"), storePorts), backend, [{ manifest: image, tag: "1" }]);
      const bytes = await readFile(join(folder, "x.tar"));
      const names: string[] = [];
      for (let at = 0; bytes[at] !== 0; ) {
        const field = (from: number, length: number) =>
          bytes.toString("latin1", at + from, at + from + length).replace(/\0.*$/, "");
        names.push(field(0, 100));
        expect([field(108, 8), field(116, 8), field(136, 12)]).toEqual(["0000000", "0000000", "00000000000"]);
        expect(field(100, 8)).toBe(field(156, 1) === "5" ? "0000755" : "0000644");
        at += 512 + Math.ceil(Number.parseInt(field(124, 12), 8) / 512) * 512;
      }
      const blobs = names.filter((name) => /^blobs\/sha256\/./.test(name));
      expect(names).toEqual(["blobs/", "blobs/sha256/", ...[...blobs].sort(), "index.json", "oci-layout"]);
      expect(blobs).toHaveLength(5);
      expect(bytes.byteLength % 512).toBe(0);
      expect(bytes.subarray(-1024).every((byte) => byte === 0)).toBe(true);
    }));

  test("replaces a file at once, and leaves it as it was on failure", () =>
    withFolder({ "x.tar": "before" }, async (folder) => {
      const { backend, image } = makeSample();
      const target = new ArchiveTarget(join(folder, "x.tar"), storePorts);
      const steps = await Array.fromAsync(walk(new Store(backend), [image], { referrers: "none" }, io));
      steps.sort((a, b) => (a.descriptor.digest < b.descriptor.digest ? -1 : 1));
      const [first, second] = steps;
      if (!first || !second) throw new Error("the image has nodes");
      const writing = await target.begin(io, steps);
      await writing.write(first, () => first.source.open(first, io));
      const wrong = writing.write(second, async () => bytesContent(new Uint8Array(second.descriptor.size).fill(9)));
      await expect(wrong).rejects.toMatchObject({ code: "digest-mismatch" });
      const after = writing.write(second, () => second.source.open(second, io));
      await expect(after).rejects.toMatchObject({ code: "digest-mismatch" });
      await expect(writing.commit([])).rejects.toMatchObject({ code: "digest-mismatch" });
      await writing.abort({ keepPartial: false });
      expect(await readFile(join(folder, "x.tar"), "utf8")).toBe("before");
      expect(await filesBelow(folder)).toEqual(["x.tar"]);
      await fill(target, backend, [{ manifest: image, tag: "1" }]);
      expect((await resolveOnly(join(folder, "x.tar"), "1"))?.bytes).toEqual(image.bytes);
      expect(await filesBelow(folder)).toEqual(["x.tar"]);
    }));

  test("goes on from the byte at which a connection broke", () =>
    withFolder({}, async (folder) => {
      const bytes = seededBytes(300_000, 1);
      const node = { kind: "blob", descriptor: describeBytes(bytes, "a/b") } as const;
      const step = { ...node, role: "layer", source: new Store(new MemoryBackend()), needs: [] } as const;
      const writing = await new ArchiveTarget(join(folder, "x.tar"), storePorts).begin(io, [step]);
      const offsets: number[] = [];
      const outcome = await writing.write(node, async () => ({
        size: bytes.byteLength,
        stream: async (offset = 0) => {
          offsets.push(offset);
          const parts = [bytes.slice(offset, offset + 120_000)];
          return new ReadableStream<Uint8Array>(
            {
              pull(controller) {
                const part = parts.shift();
                if (part) controller.enqueue(part);
                else if (offset === 240_000) controller.close();
                else controller.error(new LibraryError("network-error", "cut"));
              },
            },
            { highWaterMark: 0 },
          );
        },
      }));
      expect(outcome).toBe("sent");
      expect(offsets).toEqual([0, 120_000, 240_000]);
      await writing.commit([]);
      const source = new ArchiveSource(join(folder, "x.tar"), storePorts);
      expect(await new Store(source).bytes("blob", node.descriptor, 300_000, io)).toEqual(bytes);
      await source.close();
    }));

  test("begin() leaves no temporary file when it is interrupted after it made one", () =>
    withFolder({}, async (folder) => {
      const stop = new AbortController();
      const random = {
        ...storePorts.random,
        hex: (bytes: number) => {
          stop.abort(new LibraryError("interrupted", "Cannot go on: the test stopped it"));
          return storePorts.random.hex(bytes);
        },
      };
      const begun = new ArchiveTarget(join(folder, "x.tar"), { random }).begin(testIo(stop.signal), []);
      await expect(begun).rejects.toMatchObject({ code: "interrupted" });
      expect(await filesBelow(folder)).toEqual([]);
    }));

  test("refuses a folder in its place, and a folder that is missing", () =>
    withFolder({}, async (folder) => {
      const begin = new ArchiveTarget(folder, storePorts).begin(io, []);
      await expect(begin).rejects.toMatchObject({ code: "invalid-input", hint: expect.stringContaining("oci:") });
      const missing = new ArchiveTarget(join(folder, "none", "x.tar"), storePorts).begin(io, []);
      await expect(missing).rejects.toMatchObject({ code: "io-error" });
    }));

  test("reads back what it wrote after it was moved", () =>
    withFolder({}, async (folder) => {
      const sample = makeSample();
      await fill(new ArchiveTarget(join(folder, "x.tar"), storePorts), sample.backend, sampleRoots(sample));
      const source = new ArchiveSource(join(folder, "x.tar"), storePorts);
      const raw = await source.resolve("multi", io);
      await rename(join(folder, "x.tar"), join(folder, "y.tar"));
      await rm(join(folder, "y.tar"));
      const content = await source.read("manifest", sample.index.descriptor.digest, io);
      expect(content && (await collect(await content.stream(), 10_000, ""))).toEqual(raw?.bytes);
      await source.close();
    }));
});
