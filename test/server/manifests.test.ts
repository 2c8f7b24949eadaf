import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import {
  describe as describeBytes,
  digestOf,
  emptyContent,
  emptyDescriptor,
  makeManifest,
} from "../../src/oci/make.ts";
import type { Manifest } from "../../src/oci/manifest.ts";
import { mediaTypes } from "../../src/oci/media-type.ts";
import { seededBytes } from "../support/graph.ts";
import { startTestRegistry, type TestRegistry } from "../support/registry.ts";
import { codes, repositoryRequests } from "../support/registry-requests.ts";

let registry: TestRegistry;
beforeAll(async () => {
  registry = await startTestRegistry();
});
afterAll(() => registry.stop());
const repository = (name: string) => repositoryRequests(registry.url, name);

const putText = (name: string, text: string | Uint8Array, headers: Record<string, string> = {}, reference = "t") =>
  repository(name).send("PUT", `manifests/${reference}`, {
    body: typeof text === "string" ? new TextEncoder().encode(text) : text,
    headers: { "content-type": mediaTypes.ociManifest, ...headers },
  });

describe("pulling a manifest", () => {
  test.each(["GET", "HEAD"])(
    "%s by tag and by digest gives type, length and digest whatever is accepted",
    async (method) => {
      const image = await repository("pull").pushImage(1, { tag: "v1" });
      for (const reference of ["v1", image.descriptor.digest]) {
        for (const accept of ["*/*", "text/html", mediaTypes.dockerManifest]) {
          const response = await repository("pull").send(method, `manifests/${reference}`, { headers: { accept } });
          expect(response.status).toBe(200);
          expect(response.headers.get("content-type")).toBe(mediaTypes.ociManifest);
          expect(response.headers.get("content-length")).toBe(String(image.bytes.byteLength));
          expect(response.headers.get("docker-content-digest")).toBe(image.descriptor.digest);
          expect(await response.bytes()).toEqual(method === "HEAD" ? new Uint8Array() : image.bytes);
        }
      }
    },
  );

  test("an unknown one is 404 MANIFEST_UNKNOWN, in an unknown repository NAME_UNKNOWN", async () => {
    await repository("known").pushImage(1, { tag: "v1" });
    for (const reference of ["nope", ".not-a-tag", digestOf("nope")]) {
      const response = await repository("known").send("GET", `manifests/${reference}`);
      expect([response.status, await codes(response)]).toEqual([404, ["MANIFEST_UNKNOWN"]]);
    }
    const response = await repository("unknown").send("GET", "manifests/v1");
    expect([response.status, await codes(response)]).toEqual([404, ["NAME_UNKNOWN"]]);
    expect((await repository("unknown").send("HEAD", "manifests/v1")).status).toBe(404);
  });

  test("a blob that only looks like one is 404", async () => {
    const image = await repository("config").pushImage(1, { tag: "v1" });
    if (!("config" in image.value)) throw new Error("not an image");
    expect((await repository("config").send("GET", `manifests/${image.value.config.digest}`)).status).toBe(404);
  });

  test("If-None-Match with its ETag is 304", async () => {
    await repository("etag").pushImage(1, { tag: "v1" });
    const etag = (await repository("etag").send("HEAD", "manifests/v1")).headers.get("etag") ?? "";
    const response = await repository("etag").send("GET", "manifests/v1", { headers: { "if-none-match": etag } });
    expect(response.status).toBe(304);
  });
});

describe("pushing a manifest", () => {
  test("gives 201 with a Location by digest, and the same bytes come back", async () => {
    const { value } = await repository("push").pushImage(1);
    if (!("config" in value)) throw new Error("not an image");
    const { config, layers } = value;
    const text = JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers }, null, 3);
    const response = await putText("push", text, {}, "spaced");
    const digest = digestOf(text);
    expect(response.status).toBe(201);
    expect(response.headers.get("location")).toBe(`/v2/push/manifests/${digest}`);
    expect(response.headers.get("docker-content-digest")).toBe(digest);
    expect(response.headers.get("oci-subject")).toBeNull();
    expect(await (await repository("push").send("GET", "manifests/spaced")).text()).toBe(text);
  });

  test("keeps unknown properties, no layers, Docker's types and types with parameters", async () => {
    const config = await repository("kinds").pushBlob(emptyContent, mediaTypes.ociEmpty);
    const some: readonly Manifest[] = [
      makeManifest({ schemaVersion: 2, config, layers: [] }),
      makeManifest({ schemaVersion: 2, config, layers: [], ...{ unknown: { a: [1] } } }),
      makeManifest({ schemaVersion: 2, mediaType: mediaTypes.dockerManifest, config, layers: [] }),
      makeManifest({ schemaVersion: 2, manifests: [] }),
      makeManifest({ schemaVersion: 2, mediaType: mediaTypes.dockerManifestList, manifests: [] }),
    ];
    for (const manifest of some) {
      const type = `${manifest.descriptor.mediaType}; charset=utf-8`;
      const put = await repository("kinds").putManifest(manifest, manifest.descriptor.digest, { "content-type": type });
      expect(put.status).toBe(201);
      const got = await repository("kinds").send("GET", `manifests/${manifest.descriptor.digest}`);
      expect(got.headers.get("content-type")).toBe(manifest.descriptor.mediaType);
      expect(await got.bytes()).toEqual(manifest.bytes);
    }
  });

  test("a manifest without mediaType comes back under the type it was pushed with", async () => {
    const text = '{"schemaVersion":2,"manifests":[]}';
    const type = mediaTypes.dockerManifestList;
    expect((await putText("untyped", text, { "content-type": type }, digestOf(text))).status).toBe(201);
    const got = await repository("untyped").send("GET", `manifests/${digestOf(text)}`);
    expect(got.headers.get("content-type")).toBe(type);
  });

  test("by a digest that is not its own is 400 DIGEST_INVALID", async () => {
    const image = await repository("digest").pushImage(1);
    const response = await repository("digest").putManifest(image, digestOf("other"));
    expect([response.status, await codes(response)]).toEqual([400, ["DIGEST_INVALID"]]);
    expect((await repository("digest").send("GET", `manifests/${digestOf("other")}`)).status).toBe(404);
  });

  test("by a sha512 digest can be pulled by it and by its tag", async () => {
    const config = await repository("sha512").pushBlob(emptyContent, mediaTypes.ociEmpty, "sha512");
    const layer = await repository("sha512").pushBlob(seededBytes(9, 1), mediaTypes.ociLayer, "sha512");
    const manifest = makeManifest({ schemaVersion: 2, config, layers: [layer] }, "sha512");
    const { digest } = manifest.descriptor;
    expect((await repository("sha512").putManifest(manifest, `${digest}?tag=big`)).headers.get("oci-tag")).toBe("big");
    for (const reference of [digest, "big"]) {
      const got = await repository("sha512").send("GET", `manifests/${reference}`);
      expect([got.status, got.headers.get("docker-content-digest")]).toEqual([200, digest]);
    }
  });

  test("by digest with tag parameters sets all of them and says so in OCI-Tag", async () => {
    const image = await repository("tags").pushImage(1);
    const response = await repository("tags").putManifest(
      image,
      `${image.descriptor.digest}?tag=a&tag=b&tag=a&tag=C.1`,
    );
    expect(response.status).toBe(201);
    expect(response.headers.get("oci-tag")).toBe("a, b, C.1");
    for (const tag of ["a", "b", "C.1"]) {
      expect((await repository("tags").send("HEAD", `manifests/${tag}`)).status).toBe(200);
    }
  });

  test("by tag ignores tag parameters; a bad one with a digest is refused and sets none", async () => {
    const image = await repository("badtags").pushImage(1);
    expect((await repository("badtags").putManifest(image, "x?tag=y")).headers.get("oci-tag")).toBeNull();
    expect((await repository("badtags").send("GET", "manifests/y")).status).toBe(404);
    const response = await repository("badtags").putManifest(image, `${image.descriptor.digest}?tag=ok&tag=.bad`);
    expect([response.status, await codes(response)]).toEqual([400, ["MANIFEST_INVALID"]]);
    expect((await repository("badtags").send("GET", "manifests/ok")).status).toBe(404);
  });

  test.each([".bad", "a".repeat(129), "-x"])("under the tag %s is 400", async (tag) => {
    const image = await repository("badtag").pushImage(1);
    expect((await repository("badtag").putManifest(image, tag)).status).toBe(400);
  });

  test("moves a tag; the older manifest stays under its digest", async () => {
    const first = await repository("move").pushImage(1, { tag: "t" });
    const second = await repository("move").pushImage(2, { tag: "t" });
    expect(await (await repository("move").send("GET", "manifests/t")).bytes()).toEqual(second.bytes);
    expect((await repository("move").send("GET", `manifests/${first.descriptor.digest}`)).status).toBe(200);
  });

  test("If-Match and If-None-Match guard a tag with 412", async () => {
    const requests = repository("guard");
    const [one, two] = [await requests.pushImage(1), await requests.pushImage(2)];
    expect((await requests.putManifest(one, "t", { "if-none-match": "*" })).status).toBe(201);
    expect((await requests.putManifest(two, "t", { "if-none-match": "*" })).status).toBe(412);
    expect((await requests.putManifest(two, "t", { "if-match": `"${two.descriptor.digest}"` })).status).toBe(412);
    expect((await requests.putManifest(two, "t", { "if-match": "W/x" })).status).toBe(412);
    expect(await (await requests.send("GET", "manifests/t")).bytes()).toEqual(one.bytes);
    expect((await requests.putManifest(two, "t", { "if-match": `"${one.descriptor.digest}"` })).status).toBe(201);
  });

  test("20 at a time under as many tags lose none", async () => {
    const requests = repository("parallel");
    const images = await Promise.all(Array.from({ length: 20 }, (_, at) => requests.pushImage(at, { tag: `t${at}` })));
    for (const [at, image] of images.entries()) {
      expect(await (await requests.send("GET", `manifests/t${at}`)).bytes()).toEqual(image.bytes);
    }
  });
});

describe("a manifest is refused", () => {
  test("with 413 beyond 4 MiB, and taken up to it", async () => {
    const pad = (size: number) => {
      const make = (text: string) => makeManifest({ schemaVersion: 2, manifests: [], annotations: { a: text } });
      return make("x".repeat(size - make("").bytes.byteLength));
    };
    const limit = 4 * 1024 * 1024;
    expect((await repository("large").putManifest(pad(limit), "fits")).status).toBe(201);
    const response = await repository("large").putManifest(pad(limit + 1), "not");
    expect([response.status, await codes(response)]).toEqual([413, ["SIZE_INVALID"]]);
  });

  test("with 413 where an endless body has no length", async () => {
    const piece = new Uint8Array(1 << 20).fill(32);
    let sent = 0;
    const body = new ReadableStream({
      pull(controller) {
        if (++sent > 6) controller.close();
        else controller.enqueue(piece);
      },
    });
    const url = `${registry.url}/v2/endless/manifests/t`;
    const response = await fetch(url, { method: "PUT", body, headers: { "content-type": mediaTypes.ociManifest } });
    expect(response.status).toBe(413);
  });

  const config = JSON.stringify({ ...emptyDescriptor });
  const near = config.replace('"digest"', '"Digest"');
  test.each([
    ["no JSON", "hello"],
    ["an empty body", ""],
    ["duplicate keys", `{"schemaVersion":2,"schemaVersion":2,"config":${config},"layers":[]}`],
    ["keys that differ by case", `{"schemaVersion":2,"config":${near},"layers":[]}`],
    ["both kinds at once", `{"schemaVersion":2,"config":${config},"layers":[],"manifests":[]}`],
    ["an index as a manifest", '{"schemaVersion":2,"manifests":[]}'],
    ["layers null", `{"schemaVersion":2,"config":${config},"layers":null}`],
    ["no config", '{"schemaVersion":2,"layers":[]}'],
    ["schemaVersion 1", `{"schemaVersion":1,"config":${config},"layers":[]}`],
    ["an annotation that is a number", `{"schemaVersion":2,"config":${config},"layers":[],"annotations":{"a":1}}`],
    ["trailing bytes", `{"schemaVersion":2,"config":${config},"layers":[]} x`],
    ["a byte order mark", `\ufeff{"schemaVersion":2,"config":${config},"layers":[]}`],
    ["100,000 nested lists", `${"[".repeat(100_000)}`],
    [
      "another mediaType",
      `{"schemaVersion":2,"mediaType":"${mediaTypes.dockerManifest}","config":${config},"layers":[]}`,
    ],
  ])("with 400 MANIFEST_INVALID for %s", async (_what, text) => {
    await repository("invalid").pushBlob(emptyContent);
    const response = await putText("invalid", text);
    expect([response.status, await codes(response)]).toEqual([400, ["MANIFEST_INVALID"]]);
    expect((await repository("invalid").send("GET", "manifests/t")).status).toBe(404);
  });

  test("with 400 MANIFEST_INVALID for invalid UTF-8 and for a type that is none", async () => {
    const broken = await putText("invalid", Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x7d));
    expect([broken.status, await codes(broken)]).toEqual([400, ["MANIFEST_INVALID"]]);
    const text = await putText("invalid", "{}", { "content-type": "text/plain" });
    expect([text.status, await codes(text)]).toEqual([400, ["MANIFEST_INVALID"]]);
  });

  test("with 400 MANIFEST_BLOB_UNKNOWN naming every child that is missing", async () => {
    const [config, layer] = [
      describeBytes(seededBytes(3, 1), mediaTypes.ociConfig),
      describeBytes(seededBytes(4, 2), mediaTypes.ociLayer),
    ];
    const response = await repository("missing").putManifest(
      makeManifest({ schemaVersion: 2, config, layers: [layer] }),
      "t",
    );
    expect(response.status).toBe(400);
    const { errors } = (await response.json()) as { errors: { code: string; detail: { digest: string } }[] };
    expect(errors.map(({ code, detail }) => [code, detail.digest])).toEqual([
      ["MANIFEST_BLOB_UNKNOWN", config.digest],
      ["MANIFEST_BLOB_UNKNOWN", layer.digest],
    ]);
    const index = makeManifest({
      schemaVersion: 2,
      manifests: [describeBytes(seededBytes(5, 3), mediaTypes.ociManifest)],
    });
    expect(await codes(await repository("missing").putManifest(index, "i"))).toEqual(["MANIFEST_BLOB_UNKNOWN"]);
  });

  test("with 400 MANIFEST_INVALID where a child has another size than its descriptor says", async () => {
    const config = await repository("sizes").pushBlob(seededBytes(10, 1), mediaTypes.ociConfig);
    const manifest = makeManifest({ schemaVersion: 2, config: { ...config, size: 11 }, layers: [] });
    expect(await codes(await repository("sizes").putManifest(manifest, "t"))).toEqual(["MANIFEST_INVALID"]);
  });

  test("not for foreign layers or a subject that are missing", async () => {
    const config = await repository("foreign").pushBlob(emptyContent, mediaTypes.ociEmpty);
    const foreign = describeBytes(seededBytes(6, 4), "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip");
    const subject = describeBytes(seededBytes(7, 5), mediaTypes.ociManifest);
    const layers = [{ ...foreign, urls: ["https://example.org/layer"] }];
    const response = await repository("foreign").putManifest(
      makeManifest({ schemaVersion: 2, config, layers, subject }),
      "t",
    );
    expect([response.status, response.headers.get("oci-subject")]).toEqual([201, subject.digest]);
  });
});

describe("deleting", () => {
  test("a tag is 202 and leaves the manifest and other tags", async () => {
    const requests = repository("delete-tag");
    const image = await requests.pushImage(1);
    await requests.putManifest(image, `${image.descriptor.digest}?tag=a&tag=b`);
    expect((await requests.send("DELETE", "manifests/a")).status).toBe(202);
    expect((await requests.send("GET", "manifests/a")).status).toBe(404);
    expect((await requests.send("GET", "manifests/b")).status).toBe(200);
    expect((await requests.send("GET", `manifests/${image.descriptor.digest}`)).status).toBe(200);
    expect((await requests.send("DELETE", "manifests/a")).status).toBe(404);
  });

  test("the last tag leaves the manifest under its digest and the repository", async () => {
    const requests = repository("delete-last");
    const image = await requests.pushImage(1, { tag: "only" });
    expect((await requests.send("DELETE", "manifests/only")).status).toBe(202);
    expect((await requests.send("GET", `manifests/${image.descriptor.digest}`)).status).toBe(200);
    expect(await (await requests.send("GET", "tags/list")).json()).toEqual({ name: "delete-last", tags: [] });
  });

  test("a manifest is 202 and takes all its tags", async () => {
    const requests = repository("delete-digest");
    const image = await requests.pushImage(1);
    const { digest } = image.descriptor;
    await requests.putManifest(image, `${digest}?tag=a&tag=b`);
    expect((await requests.send("DELETE", `manifests/${digest}`)).status).toBe(202);
    for (const reference of ["a", "b", digest]) {
      expect((await requests.send("GET", `manifests/${reference}`)).status).toBe(404);
    }
    expect((await requests.send("DELETE", `manifests/${digest}`)).status).toBe(404);
  });

  test("a manifest without a tag, and a member of an index, is 202, then 404", async () => {
    const requests = repository("delete-member");
    const [lone, member] = [await requests.pushImage(1), await requests.pushImage(2)];
    await requests.pushIndex([member], { tag: "index" });
    for (const { descriptor } of [lone, member]) {
      expect((await requests.send("DELETE", `manifests/${descriptor.digest}`)).status).toBe(202);
      expect((await requests.send("GET", `manifests/${descriptor.digest}`)).status).toBe(404);
    }
    expect((await requests.send("GET", "manifests/index")).status).toBe(200);
  });

  test("a blob as a manifest, or in an unknown repository, is 404", async () => {
    const { digest } = await repository("delete-blob").pushBlob(seededBytes(3, 3));
    expect((await repository("delete-blob").send("DELETE", `manifests/${digest}`)).status).toBe(404);
    expect((await repository("delete-blob").send("GET", `blobs/${digest}`)).status).toBe(200);
    expect((await repository("delete-none").send("DELETE", `manifests/${digest}`)).status).toBe(404);
  });

  test("a manifest that was deleted can be pushed again", async () => {
    const requests = repository("delete-again");
    const image = await requests.pushImage(1, { tag: "t" });
    await requests.send("DELETE", `manifests/${image.descriptor.digest}`);
    expect((await requests.putManifest(image, "t")).status).toBe(201);
    expect(await (await requests.send("GET", "manifests/t")).bytes()).toEqual(image.bytes);
  });
});

test("members of an index are not listed in index.json, what is tagged is", async () => {
  const requests = repository("listed");
  const members = [await requests.pushImage(1), await requests.pushImage(2)];
  const index = await requests.pushIndex(members, { tag: "i" });
  const layout = JSON.parse(await readFile(join(registry.root, "listed/index.json"), "utf8"));
  expect(layout.manifests.map((entry: { digest: string }) => entry.digest)).toEqual([index.descriptor.digest]);
});

test("a method that a path does not know is 405 with Allow", async () => {
  const response = await repository("method").send("POST", "manifests/t");
  expect([response.status, response.headers.get("allow")]).toEqual([405, "GET, HEAD, PUT, DELETE"]);
  expect(await codes(response)).toEqual(["UNSUPPORTED"]);
});

test("GET /v2/ is 200 with the version of the API", async () => {
  const response = await fetch(`${registry.url}/v2/`);
  expect([response.status, response.headers.get("docker-distribution-api-version")]).toEqual([200, "registry/2.0"]);
});
