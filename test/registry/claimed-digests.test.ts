import { describe, expect, test } from "bun:test";
import { describe as describeBytes, makeManifest } from "../../src/oci/make.ts";
import { RegistryBackend } from "../../src/registry/backend.ts";
import { bytesContent, Store } from "../../src/store/store.ts";
import { testIo } from "../support/io.ts";
import { type FakeRequest, type FakeResponse, fakeHttp, testSession } from "../support/session.ts";

const other = `sha256:${"0".repeat(64)}`;
const bytes = new TextEncoder().encode("a blob");
const blob = describeBytes(bytes, "application/octet-stream");
const manifest = makeManifest({ schemaVersion: 2, manifests: [] });
const io = testIo();

/** The repository of a registry that answers so. */
function backend(answer: (request: FakeRequest) => FakeResponse): RegistryBackend {
  const location = { kind: "registry", registry: "r.example", repository: "a/b" } as const;
  return new RegistryBackend(location, testSession({ http: fakeHttp(answer) }));
}

/** A registry that has nothing and takes everything, and says of it that it has this digest. */
function taking(claimed: string) {
  return ({ method, url }: FakeRequest): FakeResponse => {
    if (method === "HEAD" || method === "GET") return { status: 404 };
    const headers = { "docker-content-digest": claimed, location: "/v2/a/b/blobs/uploads/1" };
    return { status: method === "POST" && !url.searchParams.has("mount") ? 202 : 201, headers };
  };
}

describe("A registry that says to have other content than was sent is not believed", () => {
  const mountFrom = { kind: "registry", registry: "r.example", repository: "c/d" } as const;

  test.each([
    ["of an uploaded blob", undefined],
    ["of a mounted blob", mountFrom],
  ])("%s", async (_, from) => {
    const node = { kind: "blob", descriptor: blob } as const;
    const write = async (claimed: string) => {
      const writing = await backend(taking(claimed)).begin(io);
      return writing.write(node, async () => bytesContent(bytes), { mountFrom: from });
    };
    expect(await write(blob.digest)).toBe(from ? "mounted" : "sent");
    await expect(write(other)).rejects.toMatchObject({ code: "digest-mismatch", exitStatus: 3 });
  });

  test("of a manifest by its digest", async () => {
    const node = { kind: "manifest", descriptor: manifest.descriptor } as const;
    const write = async (claimed: string) => {
      const writing = await backend(taking(claimed)).begin(io);
      return writing.write(node, async () => bytesContent(manifest.bytes));
    };
    expect(await write(manifest.descriptor.digest)).toBe("sent");
    await expect(write(other)).rejects.toMatchObject({ code: "digest-mismatch", exitStatus: 3 });
  });

  test("of a manifest under a tag", async () => {
    const commit = async (claimed: string) => {
      const writing = await backend(taking(claimed)).begin(io);
      return writing.commit([{ manifest, tag: "1" }]);
    };
    await commit(manifest.descriptor.digest);
    await expect(commit(other)).rejects.toMatchObject({ code: "digest-mismatch", exitStatus: 3 });
  });
});

describe("A registry that says another digest than what it hands out has is not believed", () => {
  const giving = (claimed: string) =>
    backend(() => ({
      status: 200,
      headers: { "content-type": manifest.descriptor.mediaType, "docker-content-digest": claimed },
      body: manifest.bytes,
    }));

  test("of a tag's manifest, neither by the backend nor by a store", async () => {
    expect((await giving(manifest.descriptor.digest).resolve("1", io))?.bytes).toEqual(manifest.bytes);
    const expected = { code: "digest-mismatch", exitStatus: 3 };
    await expect(giving(other).resolve("1", io)).rejects.toMatchObject(expected);
    await expect(new Store(giving(other)).resolve("1", io)).rejects.toMatchObject(expected);
  });

  test("of a manifest or blob that is only looked up", async () => {
    for (const kind of ["manifest", "blob"] as const) {
      const looking = giving(other).stat(kind, manifest.descriptor.digest, io);
      await expect(looking).rejects.toMatchObject({ code: "digest-mismatch", exitStatus: 3 });
    }
  });
});
