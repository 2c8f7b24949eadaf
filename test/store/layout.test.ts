import { describe, expect, test } from "bun:test";
import { chmod, mkdir, readFile, rename, rm, stat, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Content } from "../../src/core/content.ts";
import { LibraryError } from "../../src/core/error.ts";
import { splitDigest } from "../../src/oci/digest.ts";
import { describe as describeBytes, makeManifest } from "../../src/oci/make.ts";
import type { Manifest } from "../../src/oci/manifest.ts";
import { mediaTypes } from "../../src/oci/media-type.ts";
import { copy } from "../../src/store/copy.ts";
import { LayoutBackend } from "../../src/store/layout.ts";
import { MemoryBackend } from "../../src/store/memory.ts";
import { bytesContent, Store } from "../../src/store/store.ts";
import { walk } from "../../src/store/walk.ts";
import { fill, makeSample, sampleRoots } from "../contract/sample.ts";
import { filesBelow } from "../support/file-tree.ts";
import { withFolder } from "../support/folder.ts";
import { addImage, addIndex, seededBytes } from "../support/graph.ts";
import { testIo } from "../support/io.ts";
import { storePorts } from "../support/ports.ts";

const io = testIo();
const refName = "org.opencontainers.image.ref.name";

const openLayout = (path: string): LayoutBackend => new LayoutBackend(path, storePorts);

/** A layout made by hand, as another tool would: these blobs, these entries. */
async function handMade(
  path: string,
  manifests: readonly Manifest[],
  entries: readonly object[],
): Promise<LayoutBackend> {
  await mkdir(join(path, "blobs", "sha256"), { recursive: true });
  for (const { descriptor, bytes } of manifests) await writeFile(blobFile(path, descriptor.digest), bytes);
  await writeFile(join(path, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  await writeFile(join(path, "index.json"), JSON.stringify({ schemaVersion: 2, manifests: entries }));
  return openLayout(path);
}

function blobFile(path: string, digest: `${string}:${string}`): string {
  const { algorithm, encoded } = splitDigest(digest);
  return join(path, "blobs", algorithm, encoded);
}

async function indexOf(path: string) {
  return JSON.parse(await readFile(join(path, "index.json"), "utf8"));
}

async function referrerDigests(source: LayoutBackend, subject: Manifest): Promise<readonly string[]> {
  const { entries, via } = await source.referrers(subject.descriptor, {}, io);
  expect(via).toBe("index");
  return (await Array.fromAsync(entries)).map(({ digest }) => digest).sort();
}

describe("LayoutBackend reading", () => {
  test("says not-found where there is no folder, or a file in its place", () =>
    withFolder({ file: "x" }, async (folder) => {
      for (const name of ["nothing", "file"]) {
        const layout = openLayout(join(folder, name));
        await expect(layout.resolve("1", io)).rejects.toMatchObject({ code: "not-found" });
        await expect(Array.fromAsync(layout.list(io))).rejects.toMatchObject({ code: "not-found" });
      }
    }));

  test.each([
    ["no oci-layout", undefined, "malformed-content"],
    ["an empty object", "{}", "malformed-content"],
    ["a list", "[]", "malformed-content"],
    ["version 2", '{"imageLayoutVersion":"2.0.0"}', "malformed-content"],
    ["version 1 and something", '{"imageLayoutVersion":"1.0.0/../x"}', "malformed-content"],
    ["a number", '{"imageLayoutVersion":1}', "malformed-content"],
    ["no JSON", "oci", "malformed-json"],
    ["a duplicate key", '{"imageLayoutVersion":"1.0.0","imageLayoutVersion":"1.0.0"}', "malformed-json"],
    ["a megabyte", " ".repeat(1024 * 1024), "malformed-content"],
  ])("refuses %s for oci-layout", (_, marker, code) =>
    withFolder({ "index.json": '{"schemaVersion":2,"manifests":[]}' }, async (folder) => {
      if (marker !== undefined) await writeFile(join(folder, "oci-layout"), marker);
      await expect(openLayout(folder).resolve("1", io)).rejects.toMatchObject({ code });
    }),
  );

  test("refuses a layout without index.json", () =>
    withFolder({ "oci-layout": '{"imageLayoutVersion":"1.0.0"}' }, async (folder) => {
      await expect(openLayout(folder).resolve("1", io)).rejects.toMatchObject({ code: "malformed-content" });
    }));

  test("ignores keys and files that it does not know", () =>
    withFolder({}, async (folder) => {
      const layout = await handMade(folder, [], []);
      await writeFile(join(folder, "oci-layout"), '{"imageLayoutVersion":"1.0.0","more":1}');
      await writeFile(join(folder, "notes.txt"), "x");
      expect(await layout.resolve("1", io)).toBeUndefined();
    }));

  test.each(["oci-layout", "index.json", "blobs", "blobs/sha256"])(
    "refuses a symbolic link in the place of %s",
    (name) =>
      withFolder({}, async (folder) => {
        const path = join(folder, "layout");
        const { backend, image } = makeSample();
        await fill(openLayout(path), backend, [{ manifest: image, tag: "1" }]);
        await rename(join(path, name), join(folder, "elsewhere"));
        await symlink(join(folder, "elsewhere"), join(path, name));
        await expect(openLayout(path).resolve("1", io)).rejects.toMatchObject({ code: "malformed-content" });
      }),
  );

  test("refuses blobs that are symbolic links, folders or special files", () =>
    withFolder({}, async (folder) => {
      const { backend, image } = makeSample();
      const layout = openLayout(join(folder, "layout"));
      await fill(layout, backend, [{ manifest: image, tag: "1" }]);
      const file = blobFile(join(folder, "layout"), image.descriptor.digest);
      await rename(file, join(folder, "inside"));
      const makers: readonly (() => Promise<unknown>)[] = [
        () => symlink(join(folder, "inside"), file),
        () => symlink("/etc/passwd", file),
        () => mkdir(file),
        async () => Bun.spawnSync(["mkfifo", file]),
      ];
      for (const make of makers) {
        await make();
        await expect(layout.resolve("1", io)).rejects.toMatchObject({ code: "malformed-content" });
        const read = layout.read("blob", image.descriptor.digest, io);
        await expect(read).rejects.toMatchObject({ code: "malformed-content" });
        await rm(file, { recursive: true });
      }
    }));

  test("works through a symbolic link to the layout itself", () =>
    withFolder({}, async (folder) => {
      const { backend, image } = makeSample();
      await fill(openLayout(join(folder, "layout")), backend, [{ manifest: image, tag: "1" }]);
      await symlink(join(folder, "layout"), join(folder, "link"));
      expect((await openLayout(join(folder, "link")).resolve("1", io))?.bytes).toEqual(image.bytes);
    }));

  test("sees what others commit between two questions", () =>
    withFolder({}, async (folder) => {
      const sample = makeSample();
      const [one, other] = [openLayout(folder), openLayout(folder)];
      await fill(one, sample.backend, [{ manifest: sample.image, tag: "1" }]);
      expect(await other.resolve("2", io)).toBeUndefined();
      await fill(one, sample.backend, [{ manifest: sample.image, tag: "2" }]);
      expect((await other.resolve("2", io))?.bytes).toEqual(sample.image.bytes);
    }));

  test("a truncated, longer or changed manifest does not pass a Store", () =>
    withFolder({}, async (folder) => {
      const { backend, image } = makeSample();
      await fill(openLayout(folder), backend, [{ manifest: image, tag: "1" }]);
      const file = blobFile(folder, image.descriptor.digest);
      await truncate(file, 10);
      await expect(new Store(openLayout(folder)).resolve("1", io)).rejects.toMatchObject({ code: "size-mismatch" });
      await writeFile(file, `${Buffer.from(image.bytes)} `);
      await expect(new Store(openLayout(folder)).resolve("1", io)).rejects.toMatchObject({ code: "size-mismatch" });
      await writeFile(file, Buffer.from(image.bytes).toString().replace("empty", "other"));
      for (const reference of ["1", image.descriptor.digest]) {
        const resolve = new Store(openLayout(folder)).resolve(reference, io);
        await expect(resolve).rejects.toMatchObject({ code: "digest-mismatch" });
      }
    }));

  test("resolve() of a digest whose blob was changed to no JSON says digest-mismatch", () =>
    withFolder({}, async (folder) => {
      const { image } = makeSample();
      const layout = await handMade(folder, [image], []);
      await writeFile(blobFile(folder, image.descriptor.digest), "{ no JSON");
      await expect(layout.resolve(image.descriptor.digest, io)).rejects.toMatchObject({ code: "digest-mismatch" });
    }));

  test("an entry larger than a manifest may be is refused before it is read", () =>
    withFolder({}, async (folder) => {
      const { image } = makeSample();
      const layout = await handMade(folder, [image], [{ ...image.descriptor, annotations: { [refName]: "1" } }]);
      await truncate(blobFile(folder, image.descriptor.digest), 1024 ** 3);
      await expect(layout.resolve("1", io)).rejects.toMatchObject({ code: "limit-exceeded" });
    }));
});

describe("LayoutBackend of a sparse layout", () => {
  test("opens, tells which blobs are absent, and is completed by a copy", () =>
    withFolder({}, async (folder) => {
      const sample = makeSample();
      const layout = openLayout(folder);
      await fill(layout, sample.backend, sampleRoots(sample));
      const [member] = sample.members;
      if (!member || !("layers" in member.value)) throw new Error("the sample has members");
      for (const layer of member.value.layers) await rm(blobFile(folder, layer.digest));
      const root = await new Store(openLayout(folder)).resolve("multi", io);
      const layer = member.value.layers[0];
      if (!layer) throw new Error("the member has layers");
      expect(await layout.read("blob", layer.digest, io)).toBeUndefined();
      const plan = walk(new Store(layout), [root], { referrers: "all" }, io);
      const partial = copy(plan, new MemoryBackend(), { entries: [] }, io);
      await expect(partial).rejects.toMatchObject({ code: "blob-missing" });
      const report = await fill(layout, sample.backend, sampleRoots(sample));
      expect(report.outcomes.sent).toBe(member.value.layers.length);
    }));

  test("an entry whose manifest is absent is said to be missing, not unknown", () =>
    withFolder({}, async (folder) => {
      const { image } = makeSample();
      const layout = await handMade(folder, [], [{ ...image.descriptor, annotations: { [refName]: "1" } }]);
      await expect(layout.resolve("1", io)).rejects.toMatchObject({ code: "blob-missing" });
    }));
});

describe("LayoutBackend.resolve() without a reference", () => {
  const backend = new MemoryBackend();
  const image = addImage(backend, { seed: 1 });
  const other = addImage(backend, { seed: 2 });
  const index = addIndex(backend, [[image, "amd64"]]);
  const referrer = addImage(backend, { seed: 3, subject: index.descriptor, artifactType: "a/b" });
  const all = [image, other, index, referrer];
  const named = (manifest: Manifest, name: string) => ({ ...manifest.descriptor, annotations: { [refName]: name } });
  const fallback = addIndex(backend, [[referrer, "amd64"]]);
  const fallbackName = index.descriptor.digest.replace(":", "-");

  test.each([
    ["the one entry", [index.descriptor], index],
    ["the one tagged entry among others", [image.descriptor, named(index, "1"), referrer.descriptor], index],
    ["one image under two tags", [named(index, "1"), named(index, "2")], index],
    [
      "the entry that is neither a member nor a referrer",
      [image.descriptor, index.descriptor, referrer.descriptor],
      index,
    ],
    ["the entry beside a listing under a fallback tag", [named(fallback, fallbackName), index.descriptor], index],
    ["a referrer where nothing else is there", [referrer.descriptor], referrer],
  ])("takes %s", (_, entries, wanted) =>
    withFolder({}, async (folder) => {
      const layout = await handMade(folder, [...all, fallback], entries);
      expect((await layout.resolve(undefined, io))?.descriptor.digest).toBe(wanted.descriptor.digest);
    }),
  );

  test.each([
    ["two roots", [index.descriptor, other.descriptor], [`@${index.descriptor.digest}`, `@${other.descriptor.digest}`]],
    ["two tags", [named(index, "1"), named(other, "2")], [":1", ":2"]],
  ])("refuses %s with ambiguous-reference, and lists them", (_, entries, choices) =>
    withFolder({}, async (folder) => {
      const layout = await handMade(folder, all, entries);
      const hint = `Name one: ${choices.map((choice) => layout.name + choice).join(", ")}`;
      await expect(layout.resolve(undefined, io)).rejects.toMatchObject({ code: "ambiguous-reference", hint });
    }),
  );

  test("gives undefined for an empty layout", () =>
    withFolder({}, async (folder) => {
      expect(await (await handMade(folder, [], [])).resolve(undefined, io)).toBeUndefined();
    }));
});

describe("LayoutBackend.referrers() reads the dialect of", () => {
  const backend = new MemoryBackend();
  const image = addImage(backend, { seed: 1 });
  const one = addImage(backend, { seed: 2, subject: image.descriptor, artifactType: "a/one", annotations: { k: "v" } });
  const two = addImage(backend, { seed: 3, subject: image.descriptor, artifactType: "a/two" });
  const listing = makeManifest({
    schemaVersion: 2,
    mediaType: mediaTypes.ociIndex,
    manifests: [{ ...one.descriptor, artifactType: "a/one" }, two.descriptor],
  });
  const inIndex = addIndex(backend, [
    [image, "amd64"],
    [one, "unknown"],
  ]);
  const all = [image, one, two, listing, inIndex];
  const both = [one.descriptor.digest, two.descriptor.digest].sort();
  const annotated = (manifest: Manifest, annotations: Record<string, string>) => ({
    mediaType: manifest.descriptor.mediaType,
    digest: manifest.descriptor.digest,
    size: manifest.descriptor.size,
    annotations,
  });

  test.each<[string, readonly object[], readonly string[]]>([
    ["oras: manifests without a tag", [image.descriptor, one.descriptor, two.descriptor], both],
    ["oras: a manifest that has a tag too", [annotated(one, { [refName]: "sig" })], [one.descriptor.digest]],
    [
      "regctl: an index under the fallback tag",
      [annotated(listing, { [refName]: image.descriptor.digest.replace(":", "-") })],
      both,
    ],
    [
      "buildx: annotated entries",
      [annotated(one, { "io.containerd.manifest.subject": image.descriptor.digest })],
      [one.descriptor.digest],
    ],
    ["BuildKit: members of an index", [inIndex.descriptor], [one.descriptor.digest]],
    [
      "olareg: an index annotated with its subject",
      [annotated(listing, { "org.opencontainers.image.referrer.subject": image.descriptor.digest })],
      both,
    ],
  ])("%s", (_, entries, wanted) =>
    withFolder({}, async (folder) => {
      const layout = await handMade(folder, all, entries);
      expect(await referrerDigests(layout, image)).toEqual([...wanted]);
    }),
  );

  test("all at once, each referrer once and with its type and annotations", () =>
    withFolder({}, async (folder) => {
      const layout = await handMade(folder, all, [
        annotated(listing, { [refName]: image.descriptor.digest.replace(":", "-") }),
        annotated(one, { "io.containerd.manifest.subject": image.descriptor.digest }),
        two.descriptor,
        inIndex.descriptor,
      ]);
      const { entries } = await layout.referrers(image.descriptor, {}, io);
      const listed = (await Array.fromAsync(entries)).sort((a, b) =>
        (a.artifactType ?? "") < (b.artifactType ?? "") ? -1 : 1,
      );
      expect(listed.map(({ artifactType, annotations }) => ({ artifactType, annotations }))).toEqual([
        { artifactType: "a/one", annotations: { k: "v" } },
        { artifactType: "a/two", annotations: undefined },
      ]);
    }));

  test("a broken manifest among others: told as a warning, the others found", () =>
    withFolder({}, async (folder) => {
      const layout = await handMade(folder, all, [one.descriptor, two.descriptor]);
      await writeFile(
        blobFile(folder, one.descriptor.digest),
        Buffer.from(one.bytes).toString().replace("a/one", "a/onf"),
      );
      const warned = testIo();
      const { entries } = await layout.referrers(image.descriptor, {}, warned);
      expect((await Array.fromAsync(entries)).map(({ digest }) => digest)).toEqual([two.descriptor.digest]);
      expect(warned.events).toMatchObject([{ kind: "warning", code: "unreadable-manifest" }]);
    }));

  test("cycles and deep nesting end", () =>
    withFolder({}, async (folder) => {
      let inner = image;
      const chain = Array.from({ length: 30 }, () => {
        inner = addIndex(backend, [[inner, "amd64"]]);
        return inner;
      });
      const layout = await handMade(folder, [...all, ...chain], [inner.descriptor, inner.descriptor]);
      expect(await referrerDigests(layout, image)).toEqual([]);
    }));
});

describe("LayoutBackend writing", () => {
  test("lists one entry for an index with an attestation, and referrers beside it", () =>
    withFolder({}, async (folder) => {
      const backend = new MemoryBackend();
      const image = addImage(backend, { seed: 1 });
      const attestation = addImage(backend, { seed: 2, subject: image.descriptor, artifactType: "a/att" });
      const index = addIndex(backend, [
        [image, "amd64"],
        [attestation, "unknown"],
      ]);
      const layout = openLayout(folder);
      await fill(layout, backend, [{ manifest: index, tag: "1" }]);
      expect((await indexOf(folder)).manifests).toHaveLength(1);
      expect(await referrerDigests(layout, image)).toEqual([attestation.descriptor.digest]);
      const signature = addImage(backend, {
        seed: 3,
        subject: index.descriptor,
        artifactType: "a/sig",
        annotations: { [refName]: "no-tag", k: "v" },
      });
      await fill(layout, backend, [{ manifest: signature }]);
      const { mediaType, digest, size } = signature.descriptor;
      expect((await indexOf(folder)).manifests[1]).toEqual({
        mediaType,
        digest,
        size,
        artifactType: "a/sig",
        annotations: { "io.containerd.manifest.subject": index.descriptor.digest, k: "v" },
      });
      expect(await layout.resolve("no-tag", io)).toBeUndefined();
    }));

  test("links blobs of another layout, and copies a file that is no blob", () =>
    withFolder({}, async (folder) => {
      const bytes = seededBytes(2_000_000, 1);
      const descriptor = describeBytes(bytes, "application/octet-stream");
      const own = join(folder, "mine");
      await writeFile(own, bytes);
      const [one, two] = [join(folder, "one"), join(folder, "two")];
      const first = await openLayout(one).begin(io);
      expect(await first.write({ kind: "blob", descriptor }, async () => ({ ...bytesContent(bytes), file: own }))).toBe(
        "sent",
      );
      await first.commit([]);
      const second = await openLayout(two).begin(io);
      const write = second.write({ kind: "blob", descriptor }, async () => {
        const content = await openLayout(one).read("blob", descriptor.digest, io);
        if (content === undefined) throw new Error("it was written");
        return content;
      });
      await handMadeMarker(one);
      expect(await write).toBe("linked");
      await second.commit([]);
      expect((await stat(own)).nlink).toBe(1);
      expect((await stat(blobFile(two, descriptor.digest))).ino).toBe(
        (await stat(blobFile(one, descriptor.digest))).ino,
      );
      expect(await filesBelow(join(two, ".partial"))).toEqual([]);
    }));

  test("rewrites a blob of the wrong size and a manifest of wrong bytes", () =>
    withFolder({}, async (folder) => {
      const { backend, image, members } = makeSample();
      const layout = openLayout(folder);
      const roots = [{ manifest: image, tag: "1" }, ...members.map((manifest) => ({ manifest }))];
      await fill(layout, backend, roots);
      const member = members[0]?.value;
      const layer = member && "layers" in member ? member.layers[0] : undefined;
      if (!layer) throw new Error("the sample has a layer");
      await truncate(blobFile(folder, layer.digest), 1);
      await writeFile(blobFile(folder, image.descriptor.digest), Buffer.from(image.bytes).reverse());
      expect((await fill(layout, backend, roots)).outcomes.sent).toBe(2);
      await new Store(layout).resolve("1", io);
    }));

  test("of many commits at once that expect a tag to be absent, one lands", () =>
    withFolder({}, async (folder) => {
      const backend = new MemoryBackend();
      const images = Array.from({ length: 10 }, (_, seed) => addImage(backend, { seed, layers: 1 }));
      const results = await Promise.allSettled(
        images.map(async (manifest) => {
          const plan = walk(new Store(backend), [manifest], { referrers: "none" }, io);
          await copy(plan, openLayout(folder), { entries: [{ manifest, tag: "1", expect: "absent" }] }, io);
          return manifest.descriptor.digest;
        }),
      );
      const landed = results.flatMap((result) => (result.status === "fulfilled" ? result.value : []));
      expect(landed).toHaveLength(1);
      expect((await openLayout(folder).resolve("1", io))?.descriptor.digest).toBe(landed[0]);
      for (const result of results) {
        if (result.status === "rejected") expect(result.reason).toMatchObject({ code: "tag-moved" });
      }
    }));

  test("does not begin to read content that says it has another size, and notices a file that is of another than said", () =>
    withFolder({}, async (folder) => {
      const bytes = seededBytes(2_000_000, 1);
      const descriptor = describeBytes(bytes, "application/octet-stream");
      const file = join(folder, "file");
      await writeFile(file, Buffer.concat([bytes, bytes]));
      const writing = await openLayout(join(folder, "layout")).begin(io);
      const refused = async (content: Content): Promise<void> => {
        const write = writing.write({ kind: "blob", descriptor }, async () => content);
        await expect(write).rejects.toMatchObject({ code: "size-mismatch" });
      };
      await refused({ size: 5, stream: () => Promise.reject(new Error("it was read")) });
      await refused({ ...bytesContent(bytes), file });
      await refused({
        ...bytesContent(bytes),
        saveTo: async (path) => {
          await writeFile(path, Buffer.concat([bytes, bytes]));
          return descriptor.size;
        },
      });
      await writing.abort({ keepPartial: false });
      expect(await filesBelow(join(folder, "layout", ".partial"))).toEqual([]);
    }));

  test("goes on from the byte at which a connection broke", () =>
    withFolder({}, async (folder) => {
      for (const way of ["stream", "saveTo"] as const) {
        const bytes = seededBytes(3_000_000, way === "stream" ? 1 : 2);
        const descriptor = describeBytes(bytes, "application/octet-stream");
        const offsets: number[] = [];
        const writing = await openLayout(folder).begin(io);
        const write = writing.write({ kind: "blob", descriptor }, async () => breaking(bytes, 1_200_000, way, offsets));
        expect(await write).toBe("sent");
        await writing.commit([]);
        expect(offsets).toEqual([0, 1_200_000, 2_400_000]);
        expect(Buffer.compare(await readFile(blobFile(folder, descriptor.digest)), bytes)).toBe(0);
      }
    }));

  test("gives up on a connection that never brings a byte", () =>
    withFolder({}, async (folder) => {
      const bytes = seededBytes(3_000_000, 9);
      const descriptor = describeBytes(bytes, "application/octet-stream");
      for (const way of ["stream", "saveTo"] as const) {
        const writing = await openLayout(folder).begin(io);
        const offsets: number[] = [];
        const write = writing.write({ kind: "blob", descriptor }, async () => breaking(bytes, 0, way, offsets));
        await expect(write).rejects.toMatchObject({ code: "network-error" });
        expect(offsets.length).toBeLessThan(10);
        await writing.abort({ keepPartial: false });
      }
      expect(await filesBelow(join(folder, ".partial"))).toEqual([]);
    }));

  test("a later writing goes on from what an aborted one kept, and starts again where that was wrong", () =>
    withFolder({}, async (folder) => {
      const bytes = seededBytes(3_000_000, 4);
      const descriptor = describeBytes(bytes, "application/octet-stream");
      const layout = openLayout(folder);
      for (const way of ["stream", "saveTo"] as const) {
        for (const spoil of [false, true]) {
          const first = await layout.begin(io);
          const offsets: number[] = [];
          const broken = first.write({ kind: "blob", descriptor }, async () =>
            brokenOnce(bytes, 2_000_000, way, offsets),
          );
          await expect(broken).rejects.toThrow("gone");
          await first.abort({ keepPartial: true });
          const [kept] = await filesBelow(join(folder, ".partial"));
          if (kept === undefined) throw new Error("nothing was kept");
          expect((await stat(join(folder, ".partial", kept))).size).toBeGreaterThan(0);
          if (spoil) await writeFile(join(folder, ".partial", kept), "wrong");
          const second = await layout.begin(io);
          const more: number[] = [];
          expect(await second.write({ kind: "blob", descriptor }, async () => recording(bytes, way, more))).toBe(
            "sent",
          );
          await second.commit([]);
          expect(more[0]).toBeGreaterThan(0);
          expect(more.length).toBe(spoil ? 2 : 1);
          expect(Buffer.compare(await readFile(blobFile(folder, descriptor.digest)), bytes)).toBe(0);
          await rm(blobFile(folder, descriptor.digest));
          expect(await filesBelow(join(folder, ".partial"))).toEqual([]);
        }
      }
    }));

  test("commit() makes a layout of an empty folder, keeps one that is there, and completes one that lacks a file", () =>
    withFolder({}, async (folder) => {
      await chmod(folder, 0o700);
      await (await openLayout(folder).begin(io)).commit([]);
      expect(await filesBelow(folder)).toEqual(["index.json", "oci-layout"]);
      expect((await stat(folder)).mode & 0o777).toBe(0o700);
      await writeFile(join(folder, "index.json"), '{"schemaVersion":2,"manifests":[],"mine":1}');
      await rm(join(folder, "oci-layout"));
      await (await openLayout(folder).begin(io)).commit([]);
      expect(await indexOf(folder)).toEqual({ schemaVersion: 2, manifests: [], mine: 1 });
      expect(await filesBelow(folder)).toEqual(["index.json", "oci-layout"]);
    }));

  test.each([".partial", ".lock"])("refuses to write where %s is a link, and leaves what it leads to", (name) =>
    withFolder({ "outside/thesis.txt": "x" }, async (folder) => {
      const { backend, image } = makeSample();
      const layout = await handMade(join(folder, "layout"), [], []);
      await symlink(join(folder, "outside"), join(folder, "layout", name));
      await expect(fill(layout, backend, [{ manifest: image, tag: "1" }])).rejects.toMatchObject({
        code: "malformed-content",
      });
      await expect(layout.remove({ tag: "1" }, io)).rejects.toMatchObject({ code: "malformed-content" });
      expect(await filesBelow(join(folder, "outside"))).toEqual(["thesis.txt"]);
    }),
  );

  test("begin() refuses a folder that holds other files and is no layout, and changes nothing there", () =>
    withFolder({ "project/main.c": "x" }, async (folder) => {
      const path = join(folder, "project");
      await expect(openLayout(path).begin(io)).rejects.toMatchObject({ code: "already-exists" });
      expect(await filesBelow(folder)).toEqual(["project/main.c"]);
      // Folders may be there: repositories below a repository are
      await (await openLayout(folder).begin(io)).commit([]);
      expect(await filesBelow(folder)).toContain("oci-layout");
    }));

  test("keeps entries and properties of others through a commit", () =>
    withFolder({}, async (folder) => {
      const sample = makeSample();
      const foreign = { mediaType: "application/x", digest: "blake9:abc", size: 5, custom: { deep: [1, null] } };
      const layout = await handMade(folder, [], [foreign]);
      await fill(layout, sample.backend, sampleRoots(sample));
      expect((await indexOf(folder)).manifests[0]).toEqual(foreign);
    }));

  test("an index.json that cannot be read is not written over", () =>
    withFolder({}, async (folder) => {
      const { backend, image } = makeSample();
      const layout = await handMade(folder, [], []);
      await writeFile(join(folder, "index.json"), "broken");
      await expect(fill(layout, backend, [{ manifest: image, tag: "1" }])).rejects.toMatchObject({
        code: "malformed-json",
      });
      expect(await readFile(join(folder, "index.json"), "utf8")).toBe("broken");
      expect(await filesBelow(join(folder, ".partial"))).toEqual([]);
    }));

  test("a path that cannot be written is an io-error that names it", () =>
    withFolder({ file: "x" }, async (folder) => {
      const begin = openLayout(join(folder, "file", "layout")).begin(io);
      await expect(begin).rejects.toMatchObject({ code: "io-error" });
      await expect(begin).rejects.toThrow(join(folder, "file"));
      await expect(openLayout(join(folder, "file")).begin(io)).rejects.toMatchObject({ code: "invalid-input" });
    }));

  test("refuses to write through a link in the place of blobs", () =>
    withFolder({}, async (folder) => {
      const { backend, image } = makeSample();
      const layout = await handMade(join(folder, "layout"), [], []);
      await mkdir(join(folder, "outside"));
      await rm(join(folder, "layout", "blobs"), { recursive: true });
      await symlink(join(folder, "outside"), join(folder, "layout", "blobs"));
      await expect(fill(layout, backend, [{ manifest: image }])).rejects.toMatchObject({ code: "malformed-content" });
      expect(await filesBelow(join(folder, "outside"))).toEqual([]);
    }));

  test("an aborted signal stops a write and leaves nothing", () =>
    withFolder({}, async (folder) => {
      const stop = new AbortController();
      const bytes = seededBytes(3_000_000, 2);
      const descriptor = describeBytes(bytes, "application/octet-stream");
      const writing = await openLayout(folder).begin(testIo(stop.signal));
      const reason = new Error("enough");
      const content: Content = {
        size: bytes.byteLength,
        stream: async () =>
          new ReadableStream({
            pull(controller) {
              controller.enqueue(bytes.subarray(0, 1000));
              stop.abort(reason);
            },
          }),
      };
      await expect(writing.write({ kind: "blob", descriptor }, async () => content)).rejects.toBe(reason);
      await writing.abort({ keepPartial: false });
      expect(await filesBelow(join(folder, ".partial"))).toEqual([]);
    }));
});

describe("LayoutBackend.remove()", () => {
  test("removes a tag alone", () =>
    withFolder({}, async (folder) => {
      const sample = makeSample();
      const layout = openLayout(folder);
      await fill(layout, sample.backend, [...sampleRoots(sample), { manifest: sample.image, tag: "second" }]);
      await layout.remove({ tag: "single" }, io);
      expect(await layout.resolve("single", io)).toBeUndefined();
      expect((await layout.resolve("second", io))?.bytes).toEqual(sample.image.bytes);
      expect((await layout.resolve(sample.image.descriptor.digest, io))?.bytes).toEqual(sample.image.bytes);
      await expect(layout.remove({ tag: "single" }, io)).rejects.toMatchObject({ code: "not-found" });
    }));

  test("removes a manifest with all its tags, from the listing of referrers too", () =>
    withFolder({}, async (folder) => {
      const sample = makeSample();
      const { image, index, signature } = sample;
      const layout = openLayout(folder);
      await fill(layout, sample.backend, [...sampleRoots(sample), { manifest: image, tag: "second" }]);
      await layout.remove({ kind: "manifest", digest: image.descriptor.digest }, io);
      for (const reference of ["single", "second", image.descriptor.digest]) {
        expect(await layout.resolve(reference, io)).toBeUndefined();
      }
      await layout.remove({ kind: "manifest", digest: signature.descriptor.digest }, io);
      expect(await referrerDigests(layout, index)).toEqual([]);
      expect((await layout.resolve("multi", io))?.bytes).toEqual(index.bytes);
      const again = layout.remove({ kind: "manifest", digest: image.descriptor.digest }, io);
      await expect(again).rejects.toMatchObject({ code: "not-found" });
    }));

  test("keeps the file of a manifest that an index holds, also one that is sparse", () =>
    withFolder({}, async (folder) => {
      const sample = makeSample();
      const [first, second] = sample.members;
      if (!first || !second) throw new Error("the sample has members");
      const layout = openLayout(folder);
      await fill(layout, sample.backend, [
        ...sampleRoots(sample),
        { manifest: first, tag: "amd64" },
        { manifest: second, tag: "arm64" },
      ]);
      await layout.remove({ kind: "manifest", digest: first.descriptor.digest }, io);
      expect(await layout.resolve("amd64", io)).toBeUndefined();
      expect((await layout.resolve(first.descriptor.digest, io))?.bytes).toEqual(first.bytes);
      await rm(blobFile(folder, sample.index.descriptor.digest));
      await layout.remove({ kind: "manifest", digest: second.descriptor.digest }, io);
      expect((await layout.resolve(second.descriptor.digest, io))?.bytes).toEqual(second.bytes);
    }));

  test("removes a blob", () =>
    withFolder({}, async (folder) => {
      const sample = makeSample();
      const layout = openLayout(folder);
      await fill(layout, sample.backend, sampleRoots(sample));
      const config = "config" in sample.image.value ? sample.image.value.config : undefined;
      if (!config) throw new Error("the image has a config");
      await layout.remove({ kind: "blob", digest: config.digest }, io);
      expect(await layout.read("blob", config.digest, io)).toBeUndefined();
      for (const digest of [config.digest, sample.image.descriptor.digest]) {
        await expect(layout.remove({ kind: "blob", digest }, io)).rejects.toMatchObject({ code: "not-found" });
      }
    }));
});

/** A layout needs its marker to be read; a writing without entries has made one. */
async function handMadeMarker(path: string): Promise<void> {
  expect((await stat(join(path, "oci-layout"))).isFile()).toBe(true);
}

/** Content whose every connection breaks after `step` bytes. */
function breaking(bytes: Uint8Array, step: number, way: "stream" | "saveTo", offsets: number[]): Content {
  return partly(bytes, way, offsets, (offset) => ({
    end: Math.min(offset + step, bytes.byteLength),
    failure: offset + step < bytes.byteLength ? new LibraryError("network-error", "cut") : undefined,
  }));
}

/** Content that breaks for good after `end` bytes. */
function brokenOnce(bytes: Uint8Array, end: number, way: "stream" | "saveTo", offsets: number[]): Content {
  return partly(bytes, way, offsets, () => ({ end, failure: new Error("gone") }));
}

function recording(bytes: Uint8Array, way: "stream" | "saveTo", offsets: number[]): Content {
  return partly(bytes, way, offsets, () => ({ end: bytes.byteLength, failure: undefined }));
}

function partly(
  bytes: Uint8Array,
  way: "stream" | "saveTo",
  offsets: number[],
  plan: (offset: number) => { readonly end: number; readonly failure: Error | undefined },
): Content {
  const stream = async (offset = 0) => {
    offsets.push(offset);
    const { end, failure } = plan(offset);
    let at = offset;
    return new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          const next = Math.min(at + 50_000, end);
          if (next > at) controller.enqueue(bytes.slice(at, next));
          at = next;
          if (at < end) return;
          if (failure) controller.error(failure);
          else controller.close();
        },
      },
      { highWaterMark: 0 },
    );
  };
  if (way === "stream") return { size: bytes.byteLength, stream };
  const saveTo = async (path: string, offset = 0): Promise<number> => {
    offsets.push(offset);
    const { end, failure } = plan(offset);
    await writeFile(path, bytes.subarray(offset, end), { flag: "a" });
    if (failure) throw failure;
    return end - offset;
  };
  return { size: bytes.byteLength, stream, saveTo };
}
