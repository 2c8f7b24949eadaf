import { describe, expect, test } from "bun:test";
import { describe as describeBytes, digestOf, emptyDescriptor, makeManifest } from "../../src/oci/make.ts";
import { mediaTypes } from "../../src/oci/media-type.ts";
import { referrersTag } from "../../src/oci/referrers-tag.ts";
import { RegistryBackend } from "../../src/registry/backend.ts";
import { RegistryClient } from "../../src/registry/client.ts";
import { updateReferrersTag } from "../../src/registry/referrers-tag.ts";
import { Store } from "../../src/store/store.ts";
import { testIo } from "../support/io.ts";
import { type FakeRequest, type FakeResponse, fakeHttp, testSession } from "../support/session.ts";

type Answer = (request: FakeRequest, number: number) => FakeResponse;

function backend(answer: Answer) {
  const http = fakeHttp(answer);
  const location = { kind: "registry", registry: "r.example", repository: "a/b" } as const;
  return { http, backend: new RegistryBackend(location, testSession({ http })) };
}

const subject = describeBytes(new Uint8Array(5), mediaTypes.ociManifest);
const entry = (n: number, artifactType = "application/x") => ({
  mediaType: mediaTypes.ociManifest,
  digest: digestOf(`referrer ${n}`),
  size: 10,
  artifactType,
});
const indexOf = (manifests: unknown) => JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests });
const asIndex = { "content-type": mediaTypes.ociIndex };

describe("RegistryBackend.list()", () => {
  const list = async (answer: Answer) => {
    const { backend: place } = backend(answer);
    return (await Array.fromAsync(place.list(testIo()))).map(({ tag }) => tag);
  };

  test("follows Link over pages, and sorts", async () => {
    const answer: Answer = ({ url }) =>
      url.searchParams.get("last") === "b"
        ? { status: 200, body: '{"tags":["a","b"]}' }
        : { status: 200, headers: { link: '<?n=2&last=b>; rel="next"' }, body: '{"tags":["z","b"]}' };
    expect(await list(answer)).toEqual(["a", "b", "z"]);
  });

  test("takes null for no tags", async () => {
    expect(await list(() => ({ status: 200, body: '{"name":"a/b","tags":null}' }))).toEqual([]);
  });

  test("fails where pages lead in a circle, without end, or to another host", async () => {
    const circle: Answer = ({ url }) => {
      const last = url.searchParams.get("last") === "a" ? "b" : "a";
      return { status: 200, headers: { link: `<?last=${last}>; rel=next` }, body: '{"tags":["a"]}' };
    };
    await expect(list(circle)).rejects.toMatchObject({ code: "registry-error" });
    const headers = { link: "<https://evil.example/v2/>; rel=next" };
    await expect(list(() => ({ status: 200, headers, body: "{}" }))).rejects.toMatchObject({
      code: "insecure-refused",
    });
    const endless: Answer = (_, number) => {
      const link = `<?last=${number}>; rel=next`;
      return { status: 200, headers: { link }, body: `{"tags":["t${number}"]}` };
    };
    await expect(list(endless)).rejects.toMatchObject({ code: "limit-exceeded" });
  });

  test("leaves out what is no tag, with a warning", async () => {
    const { backend: place } = backend(() => ({ status: 200, body: '{"tags":["ok","../x\\u001b[31m"]}' }));
    const io = testIo();
    expect(await Array.fromAsync(place.list(io))).toEqual([{ tag: "ok" }]);
    expect(io.events.filter(({ kind }) => kind === "warning")).toHaveLength(1);
  });
});

describe("RegistryBackend.resolve()", () => {
  const manifest = makeManifest({ schemaVersion: 2, config: emptyDescriptor, layers: [] });
  const headers = { "content-type": `${manifest.descriptor.mediaType}; charset=utf-8` };

  test("asks for all four types by name", async () => {
    const { http, backend: place } = backend(() => ({ status: 200, headers, body: manifest.bytes }));
    expect(await place.resolve("v1", testIo())).toEqual({ descriptor: manifest.descriptor, bytes: manifest.bytes });
    expect(http.requests[0]?.headers.get("accept")?.split(", ").sort()).toEqual([
      mediaTypes.dockerManifestList,
      mediaTypes.dockerManifest,
      mediaTypes.ociIndex,
      mediaTypes.ociManifest,
    ]);
  });

  test("refuses a digest that the registry claims and the bytes do not have", async () => {
    const claim = { ...headers, "docker-content-digest": digestOf("other") };
    const { backend: place } = backend(() => ({ status: 200, headers: claim, body: manifest.bytes }));
    await expect(place.resolve("v1", testIo())).rejects.toMatchObject({ code: "digest-mismatch" });
  });

  test("lets no other content pass for a digest, whatever the registry claims", async () => {
    const asked = digestOf("something else");
    const claim = { ...headers, "docker-content-digest": asked };
    const { backend: place } = backend(() => ({ status: 200, headers: claim, body: manifest.bytes }));
    await expect(new Store(place).resolve(asked, testIo())).rejects.toMatchObject({ code: "digest-mismatch" });
  });

  test("stops reading at 4 MiB", async () => {
    const { backend: place } = backend(() => ({ status: 200, headers, body: new Uint8Array(4 * 1024 * 1024 + 1) }));
    await expect(place.resolve("v1", testIo())).rejects.toMatchObject({ code: "limit-exceeded" });
  });

  test("takes 204 for an error", async () => {
    const { backend: place } = backend(() => ({ status: 204 }));
    await expect(place.resolve("v1", testIo())).rejects.toMatchObject({ code: "registry-error" });
  });
});

describe("RegistryBackend.referrers()", () => {
  const read = async (answer: Answer, filter = {}) => {
    const { http, backend: place } = backend(answer);
    const found = await place.referrers(subject, filter, testIo());
    return { http, via: found.via, entries: (await Array.fromAsync(found.entries)).map(({ digest }) => digest) };
  };
  const tagPath = `/v2/a/b/manifests/${referrersTag(subject.digest)}`;

  test("filters though the registry says that it did", async () => {
    const headers = { ...asIndex, "oci-filters-applied": "artifactType" };
    const body = indexOf([entry(1), entry(2, "application/y")]);
    const { via, entries } = await read(() => ({ status: 200, headers, body }), { artifactType: "application/y" });
    expect({ via, entries }).toEqual({ via: "api", entries: [entry(2).digest] });
  });

  test("follows pages, and gives each entry once and never the subject", async () => {
    const answer: Answer = ({ url }) =>
      url.search === "?page=2"
        ? { status: 200, headers: asIndex, body: indexOf([entry(1), entry(3)]) }
        : {
            status: 200,
            headers: { ...asIndex, link: "<?page=2>; rel=next" },
            body: indexOf([entry(1), { ...entry(2), digest: subject.digest }]),
          };
    expect((await read(answer)).entries).toEqual([entry(1).digest, entry(3).digest]);
  });

  test("reads null as empty", async () => {
    expect((await read(() => ({ status: 200, headers: asIndex, body: indexOf(null) }))).entries).toEqual([]);
  });

  test("takes NAME_UNKNOWN for a repository without referrers", async () => {
    const body = '{"errors":[{"code":"NAME_UNKNOWN"}]}';
    const { http, entries } = await read(() => ({ status: 404, body }));
    expect(entries).toEqual([]);
    expect(http.requests).toHaveLength(1);
  });

  test.each([
    { status: 404, body: "404 page not found" },
    { status: 405 },
    { status: 200, headers: { "content-type": "text/html" }, body: "<html>" },
  ])("reads the fallback tag after %j", async (noApi) => {
    const body = indexOf([entry(1)]);
    const answer: Answer = ({ url }) => (url.pathname === tagPath ? { status: 200, headers: asIndex, body } : noApi);
    expect(await read(answer)).toMatchObject({ via: "tag", entries: [entry(1).digest] });
  });

  test.each([
    ["an image", { "content-type": mediaTypes.ociManifest }],
    ["HTML", { "content-type": "text/html" }],
  ])("fails where the fallback tag is %s", async (_, headers) => {
    const answer: Answer = ({ url }) =>
      url.pathname === tagPath ? { status: 200, headers, body: "{}" } : { status: 404 };
    await expect(read(answer)).rejects.toMatchObject({ code: "unsupported-content" });
  });

  test.each([400, 401, 403, 500])("takes %p of the API for no answer, not for its absence", async (status) => {
    const body = indexOf([entry(1)]);
    const answer: Answer = ({ url }) =>
      url.pathname === tagPath ? { status: 200, headers: asIndex, body } : { status };
    await expect(read(answer)).rejects.toMatchObject({ refusal: { status } });
  });

  test.each([401, 403, 500])("takes %p of the fallback tag for no answer, not for empty", async (status) => {
    const answer: Answer = ({ url }) => (url.pathname === tagPath ? { status } : { status: 404 });
    await expect(read(answer)).rejects.toMatchObject({ refusal: { status } });
  });

  test("reads the manifests where no entry of the fallback tag has the type that is asked for", async () => {
    const referrer = makeManifest({
      schemaVersion: 2,
      artifactType: "application/y",
      config: emptyDescriptor,
      layers: [emptyDescriptor],
      subject,
    });
    const { mediaType, digest, size } = referrer.descriptor;
    const answer: Answer = ({ url }) => {
      if (url.pathname === tagPath)
        return { status: 200, headers: asIndex, body: indexOf([{ mediaType, digest, size }]) };
      if (url.pathname.endsWith(digest))
        return { status: 200, headers: { "content-type": mediaType }, body: referrer.bytes };
      return { status: 404 };
    };
    expect((await read(answer, { artifactType: "application/y" })).entries).toEqual([digest]);
    expect((await read(answer, { artifactType: "application/z" })).entries).toEqual([]);
  });
});
describe("updateReferrersTag()", () => {
  /** A registry that holds one fallback tag; `meddle` may change it before a request is answered. */
  function tagRegistry(
    initial: unknown[] | undefined,
    meddle: (
      state: { body: string | undefined },
      request: FakeRequest,
      number: number,
    ) => FakeResponse | undefined = () => undefined,
  ) {
    const state = { body: initial === undefined ? undefined : indexOf(initial) };
    const http = fakeHttp((request, number) => {
      const given = meddle(state, request, number);
      if (given) return given;
      if (request.method === "PUT") {
        state.body = new TextDecoder().decode(request.body);
        return { status: 201 };
      }
      if (request.method === "DELETE") {
        state.body = undefined;
        return { status: 202 };
      }
      return state.body === undefined ? { status: 404 } : { status: 200, headers: asIndex, body: state.body };
    });
    const client = new RegistryClient(testSession({ http }), "r.example", "a/b");
    const listed = (): string[] =>
      state.body === undefined ? [] : JSON.parse(state.body).manifests.map((one: { digest: string }) => one.digest);
    return { http, client, listed, state };
  }
  const methods = ({ requests }: ReturnType<typeof fakeHttp>) => requests.map(({ method }) => method).join(" ");

  test("appends, and reads back three times", async () => {
    const { http, client, listed } = tagRegistry([entry(1)]);
    await updateReferrersTag(client, subject.digest, { add: [entry(2)], remove: [] }, [], testIo());
    expect(listed().sort()).toEqual([entry(1).digest, entry(2).digest].sort());
    expect(methods(http)).toBe("GET PUT GET GET GET");
  });

  test("writes nothing where the entry is listed", async () => {
    const { http, client } = tagRegistry([entry(1)]);
    await updateReferrersTag(client, subject.digest, { add: [entry(1)], remove: [] }, [], testIo());
    expect(methods(http)).toBe("GET");
  });

  test("writes again what another writer dropped, with what that one added", async () => {
    const { client, listed } = tagRegistry(undefined, (state, { method }, number) => {
      if (method === "GET" && number === 4) state.body = indexOf([entry(9)]);
      return undefined;
    });
    const io = testIo();
    await updateReferrersTag(client, subject.digest, { add: [entry(1)], remove: [] }, [], io);
    expect(listed().sort()).toEqual([entry(1).digest, entry(9).digest].sort());
    expect(io.events.filter((event) => event.kind === "warning" && event.code === "referrers-tag")).toHaveLength(1);
  });

  test("does not write over a tag that answers with 500, but asks again", async () => {
    const { http, client, listed } = tagRegistry([entry(1)], (_, { method }, number) =>
      method === "GET" && number <= 2 ? { status: 500 } : undefined,
    );
    await updateReferrersTag(client, subject.digest, { add: [entry(2)], remove: [] }, [], testIo());
    expect(listed()).toContain(entry(1).digest);
    expect(methods(http)).toStartWith("GET GET GET PUT");
  });

  test("never writes over what is not an index", async () => {
    const headers = { "content-type": mediaTypes.ociManifest };
    const { http, client } = tagRegistry(undefined, () => ({ status: 200, headers, body: "{}" }));
    const updates = updateReferrersTag(client, subject.digest, { add: [entry(1)], remove: [] }, [], testIo());
    await expect(updates).rejects.toMatchObject({ code: "unsupported-content" });
    expect(methods(http)).toBe("GET");
  });

  test("removes an entry, and the tag with the last one", async () => {
    const { http, client, listed, state } = tagRegistry([entry(1), entry(2)]);
    await updateReferrersTag(client, subject.digest, { add: [], remove: [entry(1).digest] }, [], testIo());
    expect(listed()).toEqual([entry(2).digest]);
    await updateReferrersTag(client, subject.digest, { add: [], remove: [entry(2).digest] }, [], testIo());
    expect(state.body).toBeUndefined();
    expect(methods(http)).toContain("DELETE");
  });

  test("keeps all of 10 entries that are listed at once in one process", async () => {
    const { client, listed } = tagRegistry(undefined);
    const add = (n: number) =>
      updateReferrersTag(client, subject.digest, { add: [entry(n)], remove: [] }, [], testIo());
    await Promise.all(Array.from({ length: 10 }, (_, n) => add(n)));
    expect(listed()).toHaveLength(10);
  });
});

describe("RegistryWriting.commit()", () => {
  const image = makeManifest({ schemaVersion: 2, config: emptyDescriptor, layers: [] });
  const commit = async (tags: string[], answer: Answer) => {
    const { http, backend: place } = backend(answer);
    const writing = await place.begin(testIo());
    await writing.commit(tags.map((tag) => ({ manifest: image, tag })));
    return http.requests.map(
      ({ method, url }) => `${method} ${url.pathname.slice("/v2/a/b/manifests/".length)}${url.search}`,
    );
  };

  test("sets several tags with one request, and those that were not echoed one by one", async () => {
    const { digest } = image.descriptor;
    const some: Answer = ({ url }) => ({
      status: 201,
      ...(url.search === "" ? {} : { headers: { "oci-tag": "a, c" } }),
    });
    expect(await commit(["a", "b", "c"], some)).toEqual([`PUT ${digest}?tag=a&tag=b&tag=c`, "PUT b"]);
    const none: Answer = () => ({ status: 201 });
    expect(await commit(["a", "b"], none)).toEqual([`PUT ${digest}?tag=a&tag=b`, "PUT a", "PUT b"]);
    expect(await commit(["a"], none)).toEqual(["PUT a"]);
  });

  test("names the missing blob where the registry lacks one", async () => {
    const body = '{"errors":[{"code":"MANIFEST_BLOB_UNKNOWN"}]}';
    await expect(commit(["a"], () => ({ status: 404, body }))).rejects.toMatchObject({ code: "blob-missing" });
  });
});
