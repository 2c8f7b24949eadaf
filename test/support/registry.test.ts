import { describe, expect, test } from "bun:test";
import { digestOf } from "../../src/oci/make.ts";
import { mediaTypes } from "../../src/oci/media-type.ts";
import { seededBytes } from "./graph.ts";
import { startTestRegistry, type TestRegistry, type TestRegistryOptions } from "./registry.ts";
import { type RepositoryRequests, repositoryRequests } from "./registry-requests.ts";

async function withRegistry(
  options: TestRegistryOptions,
  body: (registry: TestRegistry, requests: RepositoryRequests) => Promise<void>,
): Promise<void> {
  const registry = await startTestRegistry(options);
  try {
    await body(registry, repositoryRequests(registry.url, "app"));
  } finally {
    await registry.stop();
  }
}

const failed = (body: Promise<unknown>): Promise<boolean> =>
  body.then(
    () => false,
    () => true,
  );

test("startTestRegistry() without faults fires none and logs requests", async () => {
  await withRegistry({}, async (registry, requests) => {
    await requests.pushImage(1, { tag: "t" });
    expect(Object.values(registry.faults).every((count) => count === 0)).toBe(true);
    expect(registry.requests.at(-1)?.method).toBe("PUT");
    expect(registry.requests.at(-1)?.path).toBe("/v2/app/manifests/t");
    expect(registry.requests.at(-1)?.headers.get("content-type")).toBe(mediaTypes.ociManifest);
    expect(registry.host).toMatch(/^127\.0\.0\.1:[0-9]+$/);
  });
});

describe("a fault of startTestRegistry() does what it says and counts: ", () => {
  test("noReferrersApi", async () => {
    await withRegistry({ faults: { noReferrersApi: true } }, async (registry, requests) => {
      const subject = (await requests.pushImage(1)).descriptor;
      const image = await requests.pushImage(2, { subject });
      const put = await requests.putManifest(image, image.descriptor.digest);
      expect([put.status, put.headers.get("oci-subject")]).toEqual([201, null]);
      const list = await requests.send("GET", `referrers/${subject.digest}`);
      expect([list.status, list.headers.get("content-type")]).toEqual([404, "text/plain"]);
      expect(registry.faults.noReferrersApi).toBe(3);
    });
  });

  test("noMount", async () => {
    await withRegistry({ faults: { noMount: true } }, async (registry, requests) => {
      const { digest } = await requests.pushBlob(seededBytes(10, 1));
      const other = repositoryRequests(registry.url, "other");
      expect((await other.send("POST", `blobs/uploads/?mount=${digest}&from=app`)).status).toBe(202);
      expect(registry.faults.noMount).toBe(1);
    });
  });

  test("tooManyRequests and serverErrors", async () => {
    const faults = {
      tooManyRequests: { times: 1, retryAfter: 7 },
      serverErrors: { times: 1, status: 502, method: "GET" },
    };
    await withRegistry({ faults }, async (registry) => {
      const first = await fetch(`${registry.url}/v2/`);
      expect([first.status, first.headers.get("retry-after")]).toEqual([429, "7"]);
      expect((await fetch(`${registry.url}/v2/`)).status).toBe(502);
      expect((await fetch(`${registry.url}/v2/`)).status).toBe(200);
      expect([registry.faults.tooManyRequests, registry.faults.serverErrors]).toEqual([1, 1]);
    });
  });

  test("tokenAuth", async () => {
    const faults = { tokenAuth: { username: "alice", password: "secret", anonymousPull: true } };
    await withRegistry({ faults }, async (registry) => {
      const path = `${registry.url}/v2/app/blobs/uploads/`;
      const challenge = (await fetch(path, { method: "POST" })).headers.get("www-authenticate") ?? "";
      expect(challenge).toContain('scope="repository:app:pull,push"');
      const realm = /realm="([^"]+)"/.exec(challenge)?.[1] ?? "";
      const url = `${realm}?service=test%20registry&scope=repository:app:pull,push`;
      const post = async (headers: Record<string, string>): Promise<number> => {
        const answer = (await (await fetch(url, { headers })).json()) as { token?: string };
        return (await fetch(path, { method: "POST", headers: { authorization: `Bearer ${answer.token}` } })).status;
      };
      expect(await post({})).toBe(401);
      expect(await post({ authorization: `Basic ${btoa("alice:wrong")}` })).toBe(401);
      expect(await post({ authorization: `Basic ${btoa("alice:secret")}` })).toBe(202);
      expect(registry.faults.tokenAuth).toBe(3);
    });
  });

  test("wrongDigest", async () => {
    await withRegistry({ faults: { wrongDigest: true } }, async (registry, requests) => {
      const bytes = seededBytes(1000, 1);
      const { digest } = await requests.pushBlob(bytes);
      const got = await (await requests.send("GET", `blobs/${digest}`)).bytes();
      expect([got.byteLength, digestOf(got) === digest, registry.faults.wrongDigest]).toEqual([1000, false, 1]);
    });
  });

  test("shortBody", async () => {
    await withRegistry({ faults: { shortBody: { times: 1 } } }, async (registry, requests) => {
      const { digest } = await requests.pushBlob(seededBytes(1000, 1));
      expect(await failed(requests.send("GET", `blobs/${digest}`).then((response) => response.bytes()))).toBe(true);
      expect((await (await requests.send("GET", `blobs/${digest}`)).bytes()).byteLength).toBe(1000);
      expect(registry.faults.shortBody).toBe(1);
    });
  });

  test("redirectBlobs", async () => {
    await withRegistry({ faults: { redirectBlobs: true }, users: { a: "b" } }, async (registry) => {
      const plain = await startTestRegistry({ root: registry.root });
      const { digest } = await repositoryRequests(plain.url, "app").pushBlob(seededBytes(10, 1));
      await plain.stop();
      const response = await fetch(`${registry.url}/v2/app/blobs/${digest}`, { redirect: "manual" });
      const location = new URL(response.headers.get("location") ?? "");
      expect([response.status, location.host === registry.host, registry.faults.redirectBlobs]).toEqual([
        307,
        false,
        1,
      ]);
      await fetch(location, { headers: { authorization: "Bearer leaked" } });
      expect(registry.storageRequests[0]?.headers.get("authorization")).toBe("Bearer leaked");
    });
  });

  test("pagedTags", async () => {
    await withRegistry({ faults: { pagedTags: 2 } }, async (registry, requests) => {
      const image = await requests.pushImage(1);
      await requests.putManifest(image, `${image.descriptor.digest}?tag=a&tag=b&tag=c`);
      const page = await requests.send("GET", "tags/list");
      expect(((await page.json()) as { tags: string[] }).tags).toEqual(["a", "b"]);
      expect([page.headers.get("link")?.includes("last=b"), registry.faults.pagedTags]).toEqual([true, 1]);
    });
  });

  test("cutConnections", async () => {
    await withRegistry(
      { faults: { cutConnections: { afterBytes: 100_000, times: 1 } } },
      async (registry, requests) => {
        // Pushed past the relay
        const plain = await startTestRegistry({ root: registry.root });
        const { digest } = await repositoryRequests(plain.url, "app").pushBlob(seededBytes(500_000, 1));
        await plain.stop();
        const pull = async () => (await requests.send("GET", `blobs/${digest}`)).bytes();
        expect(await failed(pull())).toBe(true);
        expect((await pull()).byteLength).toBe(500_000);
        expect(registry.faults.cutConnections).toBe(1);
      },
    );
  });

  test("noTagDelete", async () => {
    await withRegistry({ faults: { noTagDelete: true } }, async (registry, requests) => {
      const { descriptor } = await requests.pushImage(1, { tag: "t" });
      expect((await requests.send("DELETE", "manifests/t")).status).toBe(400);
      expect((await requests.send("DELETE", `manifests/${descriptor.digest}`)).status).toBe(202);
      expect(registry.faults.noTagDelete).toBe(1);
    });
  });

  test("patchForgets", async () => {
    await withRegistry({ faults: { patchForgets: { times: 1 } } }, async (registry, requests) => {
      const begun = await requests.send("POST", "blobs/uploads/");
      const location = `${registry.url}${begun.headers.get("location")}`;
      expect((await fetch(location, { method: "PATCH", body: seededBytes(10, 1) })).status).toBe(404);
      expect((await fetch(location)).status).toBe(404);
      expect(registry.faults.patchForgets).toBe(1);
    });
  });
});
