import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { cp, mkdir, readdir, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { digestOf } from "../../src/oci/make.ts";
import type { Manifest } from "../../src/oci/manifest.ts";
import { makeHash } from "../../src/runtime/hash.ts";
import { makeLock } from "../../src/runtime/lock.ts";
import { random } from "../../src/runtime/random.ts";
import { LayoutBackend } from "../../src/store/layout.ts";
import { withFolder } from "../support/folder.ts";
import { seededBytes } from "../support/graph.ts";
import { testIo } from "../support/io.ts";
import { startTestRegistry, type TestRegistry } from "../support/registry.ts";
import { repositoryRequests } from "../support/registry-requests.ts";

let registry: TestRegistry;
beforeEach(async () => {
  registry = await startTestRegistry();
});
afterEach(() => registry.stop());
const repository = (name: string) => repositoryRequests(registry.url, name);
const layoutAt = (name: string) =>
  new LayoutBackend(join(registry.root, name), { lock: makeLock(), hash: makeHash(), random });

/** The layout of a pushed image, with its entry's annotations as another tool writes them. */
async function foreignLayout(name: string, annotations: Record<string, string>): Promise<Manifest> {
  const image = await repository("source").pushImage(1, { tag: "t" });
  await cp(join(registry.root, "source"), join(registry.root, name), { recursive: true });
  const { mediaType, digest, size } = image.descriptor;
  const index = { schemaVersion: 2, manifests: [{ mediaType, digest, size, annotations }] };
  await writeFile(join(registry.root, name, "index.json"), JSON.stringify(index));
  return image;
}

describe("a layout that others made", () => {
  test.each([
    [{ "org.opencontainers.image.ref.name": "1.0" }, ["1.0"]],
    [{ "org.opencontainers.image.ref.name": "registry.example.org:5000/team/app:1.0" }, ["1.0"]],
    [{ "org.opencontainers.image.ref.name": "1.0", "io.containerd.image.name": "docker.io/library/app:1.0" }, ["1.0"]],
    [{ "org.opencontainers.image.ref.name": "registry.example.org:5000/team/app" }, []],
    [{}, []],
  ])("is served as it lies, its entry's names as tags: %p", async (annotations, tags) => {
    const image = await foreignLayout("foreign", annotations);
    expect(await (await repository("foreign").send("GET", "tags/list")).json()).toEqual({ name: "foreign", tags });
    for (const reference of [...tags, image.descriptor.digest]) {
      expect(await (await repository("foreign").send("GET", `manifests/${reference}`)).bytes()).toEqual(image.bytes);
    }
  });

  test("without some of its blobs serves the others, and 404 for what is absent", async () => {
    const image = await foreignLayout("sparse", { "org.opencontainers.image.ref.name": "t" });
    if (!("layers" in image.value)) throw new Error("not an image");
    const layer = image.value.layers[0]?.digest ?? "";
    await rm(join(registry.root, "sparse/blobs/sha256", layer.slice(7)));
    expect((await repository("sparse").send("GET", "manifests/t")).status).toBe(200);
    expect((await repository("sparse").send("GET", `blobs/${layer}`)).status).toBe(404);
    await rm(join(registry.root, "sparse/blobs/sha256", image.descriptor.digest.slice(7)));
    expect((await repository("sparse").send("GET", "manifests/t")).status).toBe(404);
  });

  test("with a manifest whose bytes are wrong answers 500 and tells its operator", async () => {
    const image = await foreignLayout("broken", { "org.opencontainers.image.ref.name": "t" });
    const path = join(registry.root, "broken/blobs/sha256", image.descriptor.digest.slice(7));
    await writeFile(path, (await readFile(path, "utf8")).replace("schemaVersion", "schemaversion"));
    expect((await repository("broken").send("GET", "manifests/t")).status).toBe(500);
    expect(registry.events.some((event) => event.kind === "warning" && event.code === "request-failed")).toBe(true);
  });

  test("that is no layout is no repository", async () => {
    await mkdir(join(registry.root, "folder/blobs/sha256"), { recursive: true });
    expect((await repository("folder").send("GET", "tags/list")).status).toBe(404);
  });

  test("that is removed is no repository any more, and can be made again", async () => {
    await repository("gone").pushImage(1, { tag: "t" });
    expect((await repository("gone").send("GET", "manifests/t")).status).toBe(200);
    await rm(join(registry.root, "gone"), { recursive: true });
    expect((await repository("gone").send("GET", "manifests/t")).status).toBe(404);
    const image = await repository("gone").pushImage(2, { tag: "t" });
    expect(await (await repository("gone").send("GET", "manifests/t")).bytes()).toEqual(image.bytes);
  });
});

test("a folder that a symbolic link leads to is no repository, neither to read nor to write", async () => {
  const image = await repository("inner/app").pushImage(1, { tag: "t" });
  await withFolder({}, async (outside) => {
    await rename(join(registry.root, "inner"), join(outside, "inner"));
    await symlink(join(outside, "inner"), join(registry.root, "linked"));
    await symlink(join(outside, "inner/app"), join(registry.root, "alias"));
    for (const name of ["linked/app", "alias"]) {
      const read = await repository(name).send("GET", "manifests/t");
      const { errors } = (await read.json()) as { errors: { code: string }[] };
      expect([read.status, errors[0]?.code]).toEqual([404, "NAME_UNKNOWN"]);
      expect((await repository(name).putManifest(image, "other")).status).toBe(404);
    }
    expect((await repository("linked/new").putManifest(image, "t")).status).toBe(404);
    expect(await readdir(join(outside, "inner"))).toEqual(["app"]);
  });
});

test("repositories in each other's folders do not touch each other", async () => {
  const outer = await repository("a").pushImage(1, { tag: "t" });
  const inner = await repository("a/b").pushImage(2, { tag: "t" });
  const deep = await repository("x/y/z").pushImage(3, { tag: "t" });
  const above = await repository("x").pushImage(4, { tag: "t" });
  for (const [name, image] of [
    ["a", outer],
    ["a/b", inner],
    ["x/y/z", deep],
    ["x", above],
  ] as const) {
    expect(await (await repository(name).send("GET", "manifests/t")).bytes()).toEqual(image.bytes);
  }
  expect((await repository("a").send("GET", `manifests/${inner.descriptor.digest}`)).status).toBe(404);
});

test("a tag that another writer of the folder sets or moves is seen at once, and none is lost", async () => {
  const image = await repository("shared").pushImage(1, { tag: "first" });
  const other = await repository("shared").pushImage(2, { tag: "second" });
  const layout = layoutAt("shared");
  await Promise.all(
    Array.from({ length: 20 }, async (_, at) => {
      const writing = await layout.begin(testIo());
      await writing.commit([{ manifest: image, tag: `cli-${at}` }]);
      const put = await repository("shared").putManifest(other, `api-${at}`);
      expect([put.status, registry.events]).toEqual([201, []]);
    }),
  );
  const { tags } = (await (await repository("shared").send("GET", "tags/list")).json()) as { tags: string[] };
  expect(tags.length).toBe(42);
  const writing = await layout.begin(testIo());
  await writing.commit([{ manifest: other, tag: "first" }]);
  expect(await (await repository("shared").send("GET", "manifests/first")).bytes()).toEqual(other.bytes);
  await layout.remove({ tag: "first" }, testIo());
  expect((await repository("shared").send("GET", "manifests/first")).status).toBe(404);
});

test("a large blob that was uploaded is one file in the layout, and its upload is gone", async () => {
  const bytes = seededBytes(6_000_000, 1);
  const { digest } = await repository("large").pushBlob(bytes);
  expect(digestOf(await readFile(join(registry.root, "large/blobs/sha256", digest.slice(7))))).toBe(digest);
});
