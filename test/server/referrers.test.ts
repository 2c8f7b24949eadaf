import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import type { Descriptor } from "../../src/oci/descriptor.ts";
import { describe as describeBytes, digestOf, emptyContent, makeManifest } from "../../src/oci/make.ts";
import { mediaTypes } from "../../src/oci/media-type.ts";
import { makeHash } from "../../src/runtime/hash.ts";
import { makeLock } from "../../src/runtime/lock.ts";
import { random } from "../../src/runtime/random.ts";
import { LayoutBackend } from "../../src/store/layout.ts";
import { bytesContent } from "../../src/store/store.ts";
import { seededBytes } from "../support/graph.ts";
import { testIo } from "../support/io.ts";
import { startTestRegistry, type TestRegistry } from "../support/registry.ts";
import { codes, repositoryRequests } from "../support/registry-requests.ts";

let registry: TestRegistry;
beforeAll(async () => {
  registry = await startTestRegistry();
});
afterAll(() => registry.stop());
const repository = (name: string) => repositoryRequests(registry.url, name);
const bare = ({ mediaType, digest, size }: Descriptor): Descriptor => ({ mediaType, digest, size });

async function referrers(name: string, digest: string, query = "") {
  const response = await repository(name).send("GET", `referrers/${digest}${query}`);
  expect([response.status, response.headers.get("content-type")]).toEqual([200, mediaTypes.ociIndex]);
  const body = (await response.json()) as { schemaVersion: number; mediaType: string; manifests: Descriptor[] };
  expect([body.schemaVersion, body.mediaType]).toEqual([2, mediaTypes.ociIndex]);
  return { manifests: body.manifests, headers: response.headers };
}

test("a subject without referrers, an unknown one and an unknown repository have an empty list", async () => {
  const image = await repository("none").pushImage(1, { tag: "t" });
  expect((await referrers("none", image.descriptor.digest)).manifests).toEqual([]);
  expect((await referrers("none", digestOf("unknown"))).manifests).toEqual([]);
  expect((await referrers("not-there", digestOf("unknown"))).manifests).toEqual([]);
});

test.each(["sha256:abc", "latest", "md5:d41d8cd98f00b204e9800998ecf8427e"])("%s is 400", async (digest) => {
  const response = await repository("none").send("GET", `referrers/${digest}`);
  expect([response.status, await codes(response)]).toEqual([400, ["DIGEST_INVALID"]]);
});

test("lists manifests and indexes with type and annotations, the type of the config where there is none", async () => {
  const requests = repository("list");
  const subject = bare((await requests.pushImage(1, { tag: "t" })).descriptor);
  const annotations = { "org.example.kind": "sbom", "org.opencontainers.image.ref.name": "odd" };
  const typed = await requests.pushImage(2, { subject, artifactType: "application/x.sbom", annotations });
  const untyped = await requests.pushImage(3, { subject, tag: "tagged" });
  const index = await requests.pushIndex([], { subject, annotations: { a: "b" } });
  const typedIndex = await requests.pushIndex([], { subject, artifactType: "application/x.set" });
  await requests.pushImage(4, { subject: describeBytes(seededBytes(3, 3), mediaTypes.ociManifest) });
  const expected = [
    { ...bare(typed.descriptor), artifactType: "application/x.sbom", annotations },
    { ...bare(untyped.descriptor), artifactType: mediaTypes.ociConfig },
    { ...bare(index.descriptor), annotations: { a: "b" } },
    { ...bare(typedIndex.descriptor), artifactType: "application/x.set" },
  ].sort((a, b) => (a.digest < b.digest ? -1 : 1));
  const { manifests, headers } = await referrers("list", subject.digest);
  expect(manifests).toEqual(expected);
  expect([headers.get("oci-filters-applied"), headers.get("link")]).toEqual([null, null]);
});

test("PUT says OCI-Subject, for a subject that is not there too, and by tag", async () => {
  const config = await repository("subject").pushBlob(emptyContent, mediaTypes.ociEmpty);
  const subject = describeBytes(seededBytes(4, 4), mediaTypes.ociManifest);
  const manifest = makeManifest({ schemaVersion: 2, config, layers: [], subject });
  for (const reference of [manifest.descriptor.digest, "tag"]) {
    const response = await repository("subject").putManifest(manifest, reference);
    expect([response.status, response.headers.get("oci-subject")]).toEqual([201, subject.digest]);
  }
  const { manifests } = await referrers("subject", subject.digest);
  expect(manifests.map(({ digest }) => digest)).toEqual([manifest.descriptor.digest]);
});

describe("filtering", () => {
  const types = ["application/x.a", "application/x.b", "application/x.c"];
  let subject: Descriptor;
  beforeAll(async () => {
    subject = bare((await repository("filter").pushImage(1, { tag: "t" })).descriptor);
    for (const [at, artifactType] of types.entries())
      await repository("filter").pushImage(at + 2, { subject, artifactType });
  });

  test.each([
    ["?artifactType=application/x.a", ["application/x.a"]],
    ["?artifactType=application%2Fx.a&artifactType=application/x.c", ["application/x.a", "application/x.c"]],
    ["?artifactType=application/x.none", []],
  ])("%s is applied and said", async (query, expected) => {
    const { manifests, headers } = await referrers("filter", subject.digest, query);
    expect(manifests.map(({ artifactType }) => artifactType ?? "").sort()).toEqual(expected);
    expect(headers.get("oci-filters-applied")).toBe("artifactType");
  });
});

test("a referrer is gone from the list when it, and there while only its tag, is deleted", async () => {
  const requests = repository("delete");
  const subject = bare((await requests.pushImage(1, { tag: "t" })).descriptor);
  const { digest } = (await requests.pushImage(2, { subject, tag: "sig" })).descriptor;
  expect((await requests.send("DELETE", "manifests/sig")).status).toBe(202);
  expect((await referrers("delete", subject.digest)).manifests.map((entry) => entry.digest)).toEqual([digest]);
  expect((await requests.send("DELETE", `manifests/${digest}`)).status).toBe(202);
  expect((await referrers("delete", subject.digest)).manifests).toEqual([]);
});

test("a subject that is deleted keeps its referrers", async () => {
  const requests = repository("orphan");
  const subject = bare((await requests.pushImage(1, { tag: "t" })).descriptor);
  const { digest } = (await requests.pushImage(2, { subject })).descriptor;
  await requests.send("DELETE", `manifests/${subject.digest}`);
  expect((await referrers("orphan", subject.digest)).manifests.map((entry) => entry.digest)).toEqual([digest]);
});

test("a list that a client keeps under the fallback tag is taken in, but only what is about the subject", async () => {
  const requests = repository("fallback");
  const subject = bare((await requests.pushImage(1, { tag: "t" })).descriptor);
  const real = await requests.pushImage(2, { subject, artifactType: "application/x.a" });
  const lie = await requests.pushImage(3);
  await requests.pushIndex([real, lie], { tag: subject.digest.replace(":", "-") });
  const { manifests } = await referrers("fallback", subject.digest);
  expect(manifests).toEqual([{ ...bare(real.descriptor), artifactType: "application/x.a" }]);
});

async function listed(path: string): Promise<readonly (readonly string[])[]> {
  const pages: string[][] = [];
  for (let next: string | undefined = path; next !== undefined; ) {
    const response: Response = await fetch(`${registry.url}${next}`);
    const bytes = await response.bytes();
    expect(bytes.byteLength).toBeLessThanOrEqual(4 * 1024 * 1024);
    const body = JSON.parse(new TextDecoder().decode(bytes)) as { manifests: Descriptor[] };
    pages.push(body.manifests.map(({ digest }) => digest));
    next = /^<([^>]+)>; rel="next"$/.exec(response.headers.get("link") ?? "")?.[1];
    expect(pages.length).toBeLessThan(10);
  }
  return pages;
}

test("a list of more than 1000 comes in pages that do not overlap", async () => {
  const requests = repository("many");
  const config = await requests.pushBlob(emptyContent, mediaTypes.ociEmpty);
  const subject = describeBytes(seededBytes(5, 5), mediaTypes.ociManifest);
  const manifests = Array.from({ length: 1003 }, (_, at) =>
    makeManifest({ schemaVersion: 2, config, layers: [], subject, annotations: { number: String(at) } }),
  );
  // Written to the layout at once, as a copy would; the registry sees that it has changed
  const layout = new LayoutBackend(join(registry.root, "many"), { lock: makeLock(), hash: makeHash(), random });
  const writing = await layout.begin(testIo());
  for (const { descriptor, bytes } of manifests) {
    await writing.write({ kind: "manifest", descriptor }, async () => bytesContent(bytes));
  }
  await writing.commit([]);
  const pages = await listed(`/v2/many/referrers/${subject.digest}`);
  expect(pages.map((page) => page.length)).toEqual([1000, 3]);
  expect(pages.flat() as string[]).toEqual(manifests.map(({ descriptor }) => descriptor.digest as string).sort());
});

test("a list of more than 4 MiB comes in pages, with the filter in their links", async () => {
  const requests = repository("heavy");
  const subject = describeBytes(seededBytes(6, 6), mediaTypes.ociManifest);
  for (let at = 0; at < 3; at++) {
    const annotations = { padding: `${at}`.repeat(2 * 1024 * 1024) };
    await requests.pushImage(at, { subject, artifactType: "application/x.a", annotations });
  }
  const pages = await listed(`/v2/heavy/referrers/${subject.digest}?artifactType=application/x.a`);
  expect(pages.map((page) => page.length)).toEqual([1, 1, 1]);
  const none = await listed(`/v2/heavy/referrers/${subject.digest}?artifactType=application/x.b`);
  expect(none).toEqual([[]]);
});
