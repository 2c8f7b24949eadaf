import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Content } from "../../src/core/content.ts";
import { hexOf } from "../../src/core/hashing.ts";
import { edges } from "../../src/oci/edges.ts";
import { describe as describeBytes, emptyContent, emptyDescriptor, makeManifest } from "../../src/oci/make.ts";
import type { Manifest } from "../../src/oci/manifest.ts";
import { mediaTypes } from "../../src/oci/media-type.ts";
import { referrersTag } from "../../src/oci/referrers-tag.ts";
import { RegistryBackend } from "../../src/registry/backend.ts";
import { RegistryClient } from "../../src/registry/client.ts";
import { checkCredential, pingRegistry } from "../../src/registry/ping.ts";
import { updateReferrersTag } from "../../src/registry/referrers-tag.ts";
import { repositoryScope } from "../../src/registry/scope.ts";
import { uploadBlob } from "../../src/registry/upload.ts";
import type { Backend, CommitEntry } from "../../src/store/backend.ts";
import { copy } from "../../src/store/copy.ts";
import { MemoryBackend } from "../../src/store/memory.ts";
import { bytesContent, Store } from "../../src/store/store.ts";
import { walk } from "../../src/store/walk.ts";
import { addImage, addIndex, seededBytes } from "../support/graph.ts";
import { testIo } from "../support/io.ts";
import { describeWithPeers } from "../support/peers.ts";
import { type RunningRegistry, registryKinds, registryPrograms, startRegistry } from "../support/registries.ts";
import { sessionParts, testSession } from "../support/session.ts";

/** What differs between the registries, as seen and noted in the comments of `src/registry`. */
const traits = {
  distribution3: { referrers: "tag", tagDelete: true, sha512Blob: true, mount: true },
  distribution2: { referrers: "tag", tagDelete: false, sha512Blob: true, mount: true },
  olareg: { referrers: "api", tagDelete: true, sha512Blob: true, mount: true },
  crane: { referrers: "tag", tagDelete: true, sha512Blob: false, mount: false },
} as const;

for (const kind of registryKinds) {
  describeWithPeers([registryPrograms[kind]], `RegistryBackend with ${kind}`, () => {
    const trait = traits[kind];
    let dir = "";
    let registry: RunningRegistry;
    let counter = 0;
    const repository = () => `team/app-${counter++}`;
    const open = (name: string, session = testSession()) =>
      new RegistryBackend({ kind: "registry", registry: registry.host, repository: name }, session);

    beforeAll(async () => {
      dir = await mkdtemp(join(tmpdir(), "library-registry-"));
      registry = await startRegistry(kind, { dir });
    }, 60_000);
    afterAll(async () => {
      await registry?.stop();
      await rm(dir, { recursive: true, force: true });
    }, 60_000);

    test("copy() pushes an index of images of several layers, and pulls back the same bytes", async () => {
      const memory = new MemoryBackend();
      const image = addImage(memory, { layers: 5, layerSize: 300_000 });
      const index = addIndex(memory, [
        [image, "amd64"],
        [addImage(memory, { seed: 2, architecture: "arm64" }), "arm64"],
      ]);
      const name = repository();
      const pushed = await copyAll(new Store(memory), index, open(name), [{ manifest: index, tag: "1.0" }]);
      expect(pushed.outcomes.sent).toBe(5 + 1 + 2 + 1 + 2 + 1);

      const source = new Store(open(name));
      const found = await source.resolve("1.0", testIo());
      expect(found.descriptor).toEqual(index.descriptor);
      const back = new MemoryBackend();
      const pulled = await copyAll(source, found, back, [{ manifest: found }]);
      expect(pulled.bytesSent).toBe(pushed.bytesSent);
      for (const { descriptor } of edges(image)) {
        expect(await back.stat("blob", descriptor.digest)).toMatchObject({ size: descriptor.size });
      }
      await source.close();
    });

    test("copy() finds everything present the second time", async () => {
      const memory = new MemoryBackend();
      const image = addImage(memory);
      const name = repository();
      const entries = [{ manifest: image, tag: "a" }];
      await copyAll(new Store(memory), image, open(name), entries);
      const again = await copyAll(new Store(memory), image, open(name), entries);
      expect(again.outcomes).toEqual({ present: 4, sent: 0, mounted: 0, linked: 0 });
    });

    test("copy() sets several tags in one commit", async () => {
      const memory = new MemoryBackend();
      const image = addImage(memory);
      const backend = open(repository());
      const tags = ["z", "1.0", "1.0.3", "latest"];
      const entries = tags.map((tag) => ({ manifest: image, tag }));
      await copyAll(new Store(memory), image, backend, entries);
      expect(await tagsOf(backend)).toEqual(["1.0", "1.0.3", "latest", "z"]);
    });

    test("copy() from another repository of the registry mounts blobs where the registry can", async () => {
      const memory = new MemoryBackend();
      const image = addImage(memory, { layers: 3, seed: 77 + counter });
      const session = testSession();
      const source = open(repository(), session);
      await copyAll(new Store(memory), image, source, [{ manifest: image, tag: "a" }]);
      const target = open(repository(), session);
      const { outcomes } = await copyAll(new Store(source), image, target, [{ manifest: image, tag: "b" }]);
      // crane's registry keeps blobs for all repositories together, so they are there before a mount is asked for
      const expected = trait.mount ? { mounted: 4, present: 0 } : { mounted: 0, present: 4 };
      expect(outcomes).toEqual({ ...expected, sent: 1, linked: 0 });
      expect((await new Store(target).resolve("b", testIo())).descriptor).toEqual(image.descriptor);
    });

    test("write() refuses wrong bytes with digest-mismatch and leaves nothing behind", async () => {
      const backend = open(repository());
      const descriptor = describeBytes(seededBytes(5000, 1), "application/octet-stream");
      const node = { kind: "blob", descriptor } as const;
      const writing = await backend.begin(testIo());
      const wrong = async () => bytesContent(seededBytes(5000, 2));
      await expect(writing.write(node, wrong)).rejects.toMatchObject({ code: "digest-mismatch" });
      expect(await writing.has(node)).toBe(false);
    });

    test("write() refuses a manifest of wrong bytes with digest-mismatch", async () => {
      const backend = open(repository());
      const memory = new MemoryBackend();
      const one = addImage(memory, { seed: 1 });
      const wrong = new Uint8Array(one.bytes);
      wrong[wrong.length - 2] = 0x20;
      const node = { kind: "manifest", descriptor: one.descriptor } as const;
      const writing = await backend.begin(testIo());
      const writes = writing.write(node, async () => bytesContent(wrong));
      await expect(writes).rejects.toMatchObject({ code: "digest-mismatch" });
      expect(await writing.has(node)).toBe(false);
    });

    test("write() sends an empty blob, and one of a size that is not known before", async () => {
      const backend = open(repository());
      const writing = await backend.begin(testIo());
      const empty = describeBytes(new Uint8Array(0), "application/octet-stream");
      const send = () =>
        writing.write({ kind: "blob", descriptor: empty }, async () => bytesContent(new Uint8Array(0)));
      // crane's registry has the empty blob always
      expect(["sent", "present"]).toContain(await send());
      const bytes = seededBytes(200_000, 5);
      const descriptor = describeBytes(bytes, "application/octet-stream");
      const unsized: Content = { ...bytesContent(bytes), size: -1 };
      expect(await writing.write({ kind: "blob", descriptor }, async () => unsized)).toBe("sent");
      expect(await new Store(backend).bytes("blob", descriptor, 1e6, testIo())).toEqual(bytes);
    });

    test("write() of a sha512 blob is read back by sha512, or refused as unsupported-digest", async () => {
      const backend = open(repository());
      const bytes = seededBytes(5000, 9);
      const descriptor = describeBytes(bytes, "application/octet-stream", "sha512");
      const writing = await backend.begin(testIo());
      const write = () => writing.write({ kind: "blob", descriptor }, async () => bytesContent(bytes));
      if (trait.sha512Blob) {
        expect(await write()).toBe("sent");
        expect(await new Store(backend).bytes("blob", descriptor, 1e6, testIo())).toEqual(bytes);
      } else {
        await expect(write()).rejects.toMatchObject({ code: "unsupported-digest" });
      }
    });

    test("uploadBlob() sends chunks where the first body is refused as too large", async () => {
      const name = repository();
      const session = testSession({ http: tooLargeAbove(1_000_000, sessionParts().http) });
      const client = new RegistryClient(session, registry.host, name);
      const bytes = seededBytes(3_500_000, 4);
      const blob = describeBytes(bytes, "application/octet-stream");
      const options = { mountFrom: undefined, chunkBytes: 1_000_000 };
      expect(await uploadBlob(client, blob, async () => bytesContent(bytes), options, testIo())).toBe("sent");
      expect(await new Store(open(name)).bytes("blob", blob, 1e7, testIo())).toEqual(bytes);
    });

    test("read() gives the bytes from any offset, as a stream and into a file", async () => {
      const backend = open(repository());
      const bytes = seededBytes(500_000, 6);
      const descriptor = describeBytes(bytes, "application/octet-stream");
      const writing = await backend.begin(testIo());
      await writing.write({ kind: "blob", descriptor }, async () => bytesContent(bytes));
      const content = await backend.read("blob", descriptor.digest, testIo());
      expect(content?.size).toBe(500_000);
      expect(hexOf("sha256", new Uint8Array(await new Response(await content?.stream(123_456)).arrayBuffer()))).toBe(
        hexOf("sha256", bytes.subarray(123_456)),
      );
      const path = join(dir, `partial-${counter}`);
      await writeFile(path, bytes.subarray(0, 123_456));
      expect(await content?.saveTo?.(path, 123_456)).toBe(500_000 - 123_456);
      expect(hexOf("sha256", await readFile(path))).toBe(hexOf("sha256", bytes));
    });

    test("resolve(), stat() and read() give undefined for what is not there", async () => {
      const name = repository();
      const backend = open(name);
      const absent = describeBytes(seededBytes(10, 10), "application/octet-stream").digest;
      expect(await backend.resolve("missing", testIo())).toBeUndefined();
      expect(await backend.resolve(absent, testIo())).toBeUndefined();
      expect(await backend.stat("blob", absent, testIo())).toBeUndefined();
      expect(await backend.stat("manifest", absent, testIo())).toBeUndefined();
      expect(await backend.read("blob", absent, testIo())).toBeUndefined();
    });

    test("list() gives every tag once and in order, over as many pages as it takes", async () => {
      const memory = new MemoryBackend();
      const image = addImage(memory, { layers: 1, layerSize: 10 });
      const backend = open(repository());
      const tags = Array.from({ length: 1200 }, (_, at) => `t${String((at * 7) % 1200).padStart(4, "0")}`);
      const entries = tags.map((tag) => ({ manifest: image, tag }));
      await copyAll(new Store(memory), image, backend, entries);
      expect(await tagsOf(backend)).toEqual([...tags].sort());
    }, 60_000);

    test("list() of a repository that does not exist fails with not-found, or is empty", async () => {
      const backend = open("nobody/made/this");
      if (kind === "olareg") expect(await tagsOf(backend)).toEqual([]);
      else await expect(tagsOf(backend)).rejects.toMatchObject({ code: "not-found" });
    });

    test("remove() of a tag leaves the others, or is refused as unsupported", async () => {
      const memory = new MemoryBackend();
      const image = addImage(memory);
      const backend = open(repository());
      const entries = ["a", "b"].map((tag) => ({ manifest: image, tag }));
      await copyAll(new Store(memory), image, backend, entries);
      if (trait.tagDelete) {
        await backend.remove({ tag: "a" }, testIo());
        expect(await tagsOf(backend)).toEqual(["b"]);
        await expect(backend.remove({ tag: "a" }, testIo())).rejects.toMatchObject({ code: "not-found" });
      } else {
        await expect(backend.remove({ tag: "a" }, testIo())).rejects.toMatchObject({ code: "unsupported" });
        expect(await tagsOf(backend)).toEqual(["a", "b"]);
      }
    });

    test("remove() of a manifest by digest takes it away", async () => {
      const memory = new MemoryBackend();
      const image = addImage(memory);
      const backend = open(repository());
      await copyAll(new Store(memory), image, backend, [{ manifest: image, tag: "a" }]);
      const { digest } = image.descriptor;
      await backend.remove({ kind: "manifest", digest }, testIo());
      expect(await backend.resolve(digest, testIo())).toBeUndefined();
      await expect(backend.remove({ kind: "manifest", digest }, testIo())).rejects.toMatchObject({ code: "not-found" });
    });

    test("referrers() lists what was copied with the subject, with type and annotations, and filters", async () => {
      const { backend, image, referrers } = await withReferrers(open(repository()));
      const all = await backend.referrers(image.descriptor, {}, testIo());
      expect(all.via).toBe(trait.referrers);
      const entries = await Array.fromAsync(all.entries);
      expect(entries.map(({ digest }) => digest).sort()).toEqual(referrers.map((one) => one.descriptor.digest).sort());
      const filtered = await backend.referrers(image.descriptor, { artifactType: "application/x.two" }, testIo());
      const [only, ...others] = await Array.fromAsync(filtered.entries);
      expect(others).toEqual([]);
      expect({ ...only, annotations: { ...only?.annotations } }).toMatchObject({
        digest: referrers[1]?.descriptor.digest,
        artifactType: "application/x.two",
        annotations: { n: "2" },
      });
    });

    test("referrers() lists a referrer again that was present before, but listed nowhere", async () => {
      if (trait.referrers === "api") return; // There, being present is being listed
      const name = repository();
      const { image, referrers } = await withReferrers(open(name));
      const tag = referrersTag(image.descriptor.digest);
      const { digest } = (await new Store(open(name)).resolve(tag, testIo())).descriptor;
      await open(name).remove(trait.tagDelete ? { tag } : { kind: "manifest", digest }, testIo());
      expect(await open(name).resolve(tag, testIo())).toBeUndefined();
      await withReferrers(open(name));
      const after = await open(name).referrers(image.descriptor, {}, testIo());
      expect(await Array.fromAsync(after.entries)).toHaveLength(referrers.length);
    });

    test("remove() of a referrer takes it from the listing too", async () => {
      const name = repository();
      const { image, referrers } = await withReferrers(open(name));
      const digest = referrers[0]?.descriptor.digest ?? "sha256:none";
      await open(name).remove({ kind: "manifest", digest }, testIo());
      const after = await open(name).referrers(image.descriptor, {}, testIo());
      const left = (await Array.fromAsync(after.entries)).map((entry) => entry.digest);
      expect(left).toEqual([referrers[1]?.descriptor.digest ?? "sha256:none"]);
    });

    test("commit() fails with tag-moved where the tag is not what was expected, and changes nothing", async () => {
      const memory = new MemoryBackend();
      const one = addImage(memory, { seed: 1 });
      const two = addImage(memory, { seed: 2 });
      const backend = open(repository());
      await copyAll(new Store(memory), one, backend, [{ manifest: one, tag: "a", expect: "absent" }]);
      const move = (expect: CommitEntry["expect"] & string) =>
        copyAll(new Store(memory), two, backend, [{ manifest: two, tag: "a", expect }]);
      await expect(move("absent")).rejects.toMatchObject({ code: "tag-moved" });
      await expect(move(two.descriptor.digest)).rejects.toMatchObject({ code: "tag-moved" });
      expect((await backend.resolve("a", testIo()))?.descriptor.digest).toBe(one.descriptor.digest);
      await move(one.descriptor.digest);
      expect((await backend.resolve("a", testIo()))?.descriptor.digest).toBe(two.descriptor.digest);
    });

    test("pingRegistry() tells how it authenticates and how it lists referrers", async () => {
      const name = repository();
      await withReferrers(open(name));
      const ping = await pingRegistry(testSession(), registry.host, name, testIo());
      expect(ping).toMatchObject({
        url: registry.url,
        status: 200,
        authentication: "none",
        authenticated: true,
        referrers: trait.referrers,
      });
    });
  });
}

describeWithPeers([registryPrograms.distribution2], "updateReferrersTag() with distribution2", () => {
  test("loses none of 12 referrers that 12 sessions list at once", async () => {
    const dir = await mkdtemp(join(tmpdir(), "library-registry-"));
    const registry = await startRegistry("distribution2", { dir });
    try {
      const memory = new MemoryBackend();
      const image = addImage(memory);
      const client = () => new RegistryClient(testSession(sleeping), registry.host, "team/race");
      const backend = new RegistryBackend(
        { kind: "registry", registry: registry.host, repository: "team/race" },
        testSession(),
      );
      await copyAll(new Store(memory), image, backend, [{ manifest: image, tag: "a" }]);
      const referrers = Array.from({ length: 12 }, (_, n) => referrerOf(image, `application/x.n${n}`, String(n)));
      const writing = await backend.begin(testIo());
      await writing.write({ kind: "blob", descriptor: emptyDescriptor }, async () => bytesContent(emptyContent));
      const scopes = [repositoryScope("team/race", "pull,push")];
      await Promise.all(
        referrers.map(async ({ descriptor, bytes }) => {
          await writing.write({ kind: "manifest", descriptor }, async () => bytesContent(bytes));
          const change = { add: [descriptor], remove: [] };
          await updateReferrersTag(client(), image.descriptor.digest, change, scopes, testIo());
        }),
      );
      const listed = await backend.referrers(image.descriptor, {}, testIo());
      expect(await Array.fromAsync(listed.entries)).toHaveLength(12);
    } finally {
      await registry.stop();
      await rm(dir, { recursive: true, force: true });
    }
  }, 60_000);
});

describeWithPeers([registryPrograms.distribution3], "RegistryBackend with distribution3 and Basic auth", () => {
  const right = { username: "ann", password: "pass:word ü" };
  let dir = "";
  let registry: RunningRegistry;

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), "library-registry-"));
    registry = await startRegistry("distribution3", { dir, auth: right });
  }, 60_000);
  afterAll(async () => {
    await registry?.stop();
    await rm(dir, { recursive: true, force: true });
  }, 60_000);

  test("copy() pushes and pulls with credentials, and is refused as unauthorized without or with wrong ones", async () => {
    const location = { kind: "registry", registry: registry.host, repository: "a/b" } as const;
    const memory = new MemoryBackend();
    const image = addImage(memory, { layers: 4 });
    const push = (backend: Backend) => copyAll(new Store(memory), image, backend, [{ manifest: image, tag: "a" }]);
    await expect(push(new RegistryBackend(location, testSession()))).rejects.toMatchObject({ code: "unauthorized" });
    const wrong = { kind: "basic", username: "ann", password: "wrong" } as const;
    const withWrong = new RegistryBackend(location, testSession({ credential: wrong }));
    await expect(push(withWrong)).rejects.toMatchObject({ code: "unauthorized" });
    const credential = { kind: "basic", ...right } as const;
    const backend = new RegistryBackend(location, testSession({ credential }));
    expect((await push(backend)).outcomes.sent).toBe(6);
    expect((await new Store(backend).resolve("a", testIo())).descriptor).toEqual(image.descriptor);
  });

  test("checkCredential() accepts the right password and refuses a wrong one as unauthorized", async () => {
    const check = (password: string) =>
      checkCredential(sessionParts(), registry.host, { kind: "basic", username: "ann", password }, testIo());
    expect(await check(right.password)).toBe("accepted");
    await expect(check("wrong")).rejects.toMatchObject({ code: "unauthorized" });
  });
});

const sleeping = { sleep: (milliseconds: number) => Bun.sleep(milliseconds) };

async function copyAll(source: Store, root: Manifest, to: Backend, entries: readonly CommitEntry[]) {
  const io = testIo();
  return copy(walk(source, [root], { referrers: "all" }, io), to, { entries }, io);
}

async function tagsOf(backend: Backend): Promise<(string | undefined)[]> {
  return (await Array.fromAsync(backend.list(testIo()))).map(({ tag }) => tag);
}

function referrerOf(image: Manifest, artifactType: string, n: string): Manifest {
  return makeManifest({
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    artifactType,
    config: emptyDescriptor,
    layers: [emptyDescriptor],
    subject: { mediaType: image.descriptor.mediaType, digest: image.descriptor.digest, size: image.descriptor.size },
    annotations: { n },
  });
}

/** An image with two referrers of different types, copied to the backend with the tag `a`. */
async function withReferrers(backend: Backend) {
  const memory = new MemoryBackend();
  const image = addImage(memory, { seed: 42 });
  memory.add({ kind: "blob", descriptor: emptyDescriptor }, emptyContent);
  const referrers = [referrerOf(image, "application/x.one", "1"), referrerOf(image, "application/x.two", "2")];
  for (const { descriptor, bytes } of referrers) memory.add({ kind: "manifest", descriptor }, bytes);
  await copyAll(new Store(memory), image, backend, [{ manifest: image, tag: "a" }]);
  return { backend, image, referrers };
}

/** What stands before some registries: bodies beyond the limit are refused with 413 before they are read. */
function tooLargeAbove(limit: number, http: ReturnType<typeof sessionParts>["http"]): typeof http {
  return {
    send: async (request) => {
      const { body } = request;
      const size = body === undefined || body instanceof Uint8Array ? 0 : (body.length ?? body.content.size);
      if (size <= limit) return http.send(request);
      const empty = () => new Response("").body as ReadableStream<Uint8Array>;
      return {
        status: 413,
        headers: new Headers(),
        body: {
          size: 0,
          bytes: async () => new Uint8Array(0),
          stream: empty,
          saveTo: async () => 0,
          cancel: async () => {},
        },
      };
    },
    close: () => http.close(),
  };
}
