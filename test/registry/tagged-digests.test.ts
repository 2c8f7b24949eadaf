import { describe, expect, test } from "bun:test";
import { makeManifest } from "../../src/oci/make.ts";
import { RegistryBackend } from "../../src/registry/backend.ts";
import { Store } from "../../src/store/store.ts";
import { testIo } from "../support/io.ts";
import { startTestRegistry } from "../support/registry.ts";
import { type FakeRequest, type FakeResponse, fakeHttp, testSession } from "../support/session.ts";

const manifest = makeManifest({ schemaVersion: 2, manifests: [] }, "sha512");
const { digest } = manifest.descriptor;

/** Commits the sha512 manifest under one tag, at a registry that answers so to every PUT. */
async function commit(answer: (request: FakeRequest) => FakeResponse) {
  const http = fakeHttp(answer);
  const location = { kind: "registry", registry: "r.example", repository: "a/b" } as const;
  const writing = await new RegistryBackend(location, testSession({ http })).begin(testIo());
  await writing.commit([{ manifest, tag: "1" }]);
  return http.requests.map(({ url }) => `${url.pathname}${url.search}`);
}

describe("commit() of a manifest with a sha512 digest", () => {
  test("makes the tag name it by that digest, at our own registry", async () => {
    const registry = await startTestRegistry();
    try {
      const location = { kind: "registry", registry: registry.host, repository: "a/b" } as const;
      const backend = new RegistryBackend(location, testSession());
      const writing = await backend.begin(testIo());
      await writing.commit([{ manifest, tag: "1" }]);
      expect((await new Store(backend).resolve("1", testIo())).descriptor.digest).toBe(digest);
    } finally {
      await registry.stop();
    }
  });

  test("asks for the tag with the digest, and takes a registry at its word", async () => {
    const headers = { "docker-content-digest": digest, "oci-tag": "1" };
    const asked = await commit(() => ({ status: 201, headers }));
    expect(asked).toEqual([`/v2/a/b/manifests/${digest}?tag=1`]);
  });

  test("gives the digest with the tag where the registry takes no tags with a digest", async () => {
    const asked = await commit(() => ({ status: 201, headers: { "docker-content-digest": digest } }));
    expect(asked[1]).toBe(`/v2/a/b/manifests/1?digest=${encodeURIComponent(digest)}`);
  });

  test("fails with unsupported-digest where the registry names the tag by another digest", async () => {
    const headers = { "docker-content-digest": `sha256:${"0".repeat(64)}` };
    await expect(commit(() => ({ status: 201, headers }))).rejects.toMatchObject({ code: "unsupported-digest" });
  });
});
