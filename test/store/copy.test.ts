import { describe, expect, test } from "bun:test";
import type { Manifest } from "../../src/oci/manifest.ts";
import type { Outcome, Target, Writing } from "../../src/store/backend.ts";
import { copy } from "../../src/store/copy.ts";
import { MemoryBackend } from "../../src/store/memory.ts";
import { bytesContent, Store } from "../../src/store/store.ts";
import { walk } from "../../src/store/walk.ts";
import { addImage, addIndex } from "../support/graph.ts";
import { testIo } from "../support/io.ts";

function sample(): { readonly backend: MemoryBackend; readonly root: Manifest; readonly signature: Manifest } {
  const backend = new MemoryBackend("source");
  const images = [1, 2, 3].map((seed) => [addImage(backend, { seed, layers: 4 }), "amd64"] as const);
  const root = addIndex(backend, images);
  const signature = addImage(backend, { seed: 9, subject: root.descriptor, artifactType: "application/example" });
  return { backend, root, signature };
}

async function run(from: MemoryBackend, root: Manifest, to: Target, io = testIo(), tag = "1") {
  const plan = walk(new Store(from), [root], { referrers: "all" }, io);
  return copy(plan, to, { entries: [{ manifest: root, tag }] }, io);
}

/** A target that fails at the n-th write. */
function failingAt(target: MemoryBackend, failing: number, error: Error): Target {
  let writes = 0;
  return {
    name: target.name,
    location: undefined,
    order: "any",
    begin: async () => {
      const writing: Writing = await target.begin(testIo());
      const write = writing.write.bind(writing);
      writing.write = async (...given): Promise<Outcome> => {
        if (++writes === failing) throw error;
        return write(...given);
      };
      return writing;
    },
  };
}

describe("copy()", () => {
  test("puts the whole graph and its referrers under the tag", async () => {
    const { backend, root, signature } = sample();
    const target = new MemoryBackend("target");
    const report = await run(backend, root, target);
    expect(report.outcomes.present).toBe(0);
    expect((await target.resolve("1"))?.descriptor.digest).toBe(root.descriptor.digest);
    const again = await Array.fromAsync(walk(new Store(target), [root], { referrers: "all" }, testIo()));
    expect(again.map(({ descriptor }) => descriptor.digest)).toContain(signature.descriptor.digest);
    expect(report.outcomes.sent).toBe(again.length);
  });

  test("is idempotent: a second copy sends nothing", async () => {
    const { backend, root } = sample();
    const target = new MemoryBackend("target");
    const first = await run(backend, root, target);
    const second = await run(backend, root, target);
    expect(second).toEqual({
      outcomes: { present: first.outcomes.sent, mounted: 0, linked: 0, sent: 0 },
      bytesSent: 0,
    });
  });

  test("shows nothing when any one write fails, and a copy after it equals a copy", async () => {
    const { backend, root } = sample();
    const whole = new MemoryBackend("whole");
    const nodes = (await run(backend, root, whole)).outcomes.sent;
    for (let failing = 1; failing <= nodes; failing++) {
      const target = new MemoryBackend("target");
      await expect(run(backend, root, failingAt(target, failing, new Error("broken")))).rejects.toThrow("broken");
      expect(await target.resolve("1")).toBeUndefined();
      await run(backend, root, target);
      expect((await target.resolve("1"))?.bytes).toEqual(root.bytes);
    }
  });

  test("throws the first error and tells of a failing abort beside it", async () => {
    const { backend, root } = sample();
    const below = failingAt(new MemoryBackend("target"), 1, new Error("broken"));
    const target: Target = {
      ...below,
      begin: async (given, plan) => {
        const writing = await below.begin(given, plan);
        writing.abort = async () => {
          throw new Error("no way back");
        };
        return writing;
      },
    };
    const io = testIo();
    await expect(run(backend, root, target, io)).rejects.toThrow("broken");
    const debug = io.events.filter(({ kind }) => kind === "debug");
    expect(debug).toMatchObject([{ message: expect.stringContaining("no way back") }]);
  });

  test("heals what an interrupted copy left although the root is there already", async () => {
    const { backend, root } = sample();
    const target = new MemoryBackend("target");
    target.add({ kind: "manifest", descriptor: root.descriptor }, root.bytes);
    await run(backend, root, target);
    const reached = await Array.fromAsync(walk(new Store(target), [root], { referrers: "none" }, testIo()));
    expect(reached.length).toBeGreaterThan(10);
  });

  test("names every blob that the source lacks", async () => {
    const { backend, root } = sample();
    const store = new Store(backend);
    const blobs = (await Array.fromAsync(walk(store, [root], { referrers: "none" }, testIo()))).filter(
      ({ role }) => role === "layer",
    );
    const [one, two] = [blobs[0], blobs[5]];
    if (!one || !two) throw new Error("the sample has too few layers");
    for (const { descriptor } of [one, two]) await backend.remove({ kind: "blob", digest: descriptor.digest });
    const target = new MemoryBackend("target");
    const failure = run(backend, root, target);
    await expect(failure).rejects.toMatchObject({ code: "blob-missing" });
    for (const { descriptor } of [one, two]) await expect(failure).rejects.toThrow(descriptor.digest);
    expect(await target.resolve("1")).toBeUndefined();
  });

  test("never writes more nodes at a time than it may, and no manifest before its children", async () => {
    const { backend, root } = sample();
    const target = new MemoryBackend("target");
    let [now, most] = [0, 0];
    const done = new Set<string>();
    const needs = new Map<string, readonly string[]>();
    for await (const step of walk(new Store(backend), [root], { referrers: "none" }, testIo())) {
      needs.set(step.descriptor.digest, step.needs);
    }
    const watched: Target = {
      name: "watched",
      location: undefined,
      order: "any",
      begin: async () => {
        const writing = await target.begin(testIo());
        return {
          ...writing,
          write: async (node, open) => {
            most = Math.max(most, ++now);
            for (const need of needs.get(node.descriptor.digest) ?? []) expect(done).toContain(need);
            await Promise.resolve();
            const outcome = await writing.write(node, open);
            done.add(node.descriptor.digest);
            now--;
            return outcome;
          },
        };
      },
    };
    const plan = walk(new Store(backend), [root], { referrers: "none" }, testIo());
    await copy(plan, watched, { entries: [], concurrency: 3 }, testIo());
    expect(most).toBe(3);
  });

  test("gives a sorted target its nodes in the order of their digests", async () => {
    const { backend, root } = sample();
    const order: string[] = [];
    const target: Target = {
      name: "sorted",
      location: undefined,
      order: "sorted",
      begin: async (_, plan) => ({
        has: async () => false,
        write: async (node, open) => {
          order.push(node.descriptor.digest);
          await (await (await open()).stream()).cancel();
          return "sent";
        },
        commit: async () => expect(order).toHaveLength(plan?.length ?? -1),
        abort: async () => {},
      }),
    };
    await run(backend, root, target);
    expect(order).toEqual([...new Set(order)].sort());
  });

  test("throws the signal's reason when it is interrupted", async () => {
    const { backend, root } = sample();
    const controller = new AbortController();
    const target = failingAt(new MemoryBackend("target"), 4, new Error("later"));
    const begin = target.begin.bind(target);
    const reason = new Error("interrupted");
    target.begin = async (...given) => {
      controller.abort(reason);
      return begin(...given);
    };
    await expect(run(backend, root, target, testIo(controller.signal))).rejects.toBe(reason);
  });
});

describe("Store", () => {
  test("stream() holds back the end of wrong bytes", async () => {
    const backend = new MemoryBackend();
    const image = addImage(backend, { seed: 1 });
    const { value } = image;
    if (!("layers" in value) || !value.layers[0]) throw new Error("no layer");
    const [layer] = value.layers;
    const wrong = new Uint8Array(layer.size);
    backend.read = async () => bytesContent(wrong);
    const stream = await new Store(backend).stream({ kind: "blob", descriptor: layer }, testIo());
    const got: Uint8Array[] = [];
    const reading = (async () => {
      for await (const chunk of stream) got.push(chunk);
    })();
    await expect(reading).rejects.toMatchObject({ code: "digest-mismatch" });
    expect(got).toHaveLength(0);
  });

  test.each([
    ["digest-mismatch", (bytes: Uint8Array) => bytes.map((byte) => byte ^ 1)],
    ["size-mismatch", (bytes: Uint8Array) => bytes.subarray(1)],
  ])("manifest() throws %s for wrong bytes, and does not keep them", async (code, spoil) => {
    const backend = new MemoryBackend();
    const image = addImage(backend, { seed: 1 });
    const read = backend.read.bind(backend);
    let spoilt = true;
    backend.read = async (kind, digest) => (spoilt ? bytesContent(spoil(image.bytes)) : read(kind, digest));
    const store = new Store(backend);
    await expect(store.manifest(image.descriptor, testIo())).rejects.toMatchObject({ code });
    spoilt = false;
    expect((await store.manifest(image.descriptor, testIo())).bytes).toEqual(image.bytes);
  });

  test("resolve() throws not-found for a tag that is not there", async () => {
    await expect(new Store(new MemoryBackend()).resolve("1", testIo())).rejects.toMatchObject({ code: "not-found" });
  });
});
