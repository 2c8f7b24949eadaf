import { describe, expect, test } from "bun:test";
import { LibraryError } from "../../src/core/error.ts";
import { describe as describeBytes, digestOf } from "../../src/oci/make.ts";
import { RegistryClient } from "../../src/registry/client.ts";
import { uploadBlob } from "../../src/registry/upload.ts";
import { bytesContent } from "../../src/store/store.ts";
import { seededBytes } from "../support/graph.ts";
import { testIo } from "../support/io.ts";
import { type FakeRequest, type FakeResponse, fakeHttp, testSession } from "../support/session.ts";

const bytes = seededBytes(3_000_000, 1);
const blob = describeBytes(bytes, "application/octet-stream");
const session = "/v2/a/b/blobs/uploads/s1?_state=a%2Bb";

/** A registry with one upload session; `fault` may answer first. */
function registry(fault: (request: FakeRequest, number: number) => FakeResponse | undefined = () => undefined) {
  let held = new Uint8Array(0);
  const stored = new Set<string>();
  const keep = (part: Uint8Array) => {
    held = new Uint8Array(Buffer.concat([held, part]));
  };
  const http = fakeHttp((request, number) => {
    const given = fault(request, number);
    if (given) return given;
    const { method, url, body } = request;
    if (method === "POST") {
      held = new Uint8Array(0);
      return { status: 202, headers: { location: session } };
    }
    if (method === "HEAD") return { status: stored.has(url.pathname.split("/").at(-1) ?? "") ? 200 : 404 };
    if (method === "GET") return { status: 204, headers: { range: `0-${held.byteLength - 1}`, location: session } };
    if (method === "DELETE") return { status: 204 };
    if (method === "PATCH") {
      const first = Number(request.headers.get("content-range")?.split("-")[0]);
      if (first !== held.byteLength) return { status: 416 };
      keep(body);
      return { status: 202, headers: { location: session, range: `0-${held.byteLength - 1}` } };
    }
    keep(body);
    const digest = url.searchParams.get("digest") ?? "";
    const [algorithm] = digest.split(":");
    if (digestOf(held, algorithm === "sha512" ? "sha512" : "sha256") !== digest) {
      return { status: 400, body: '{"errors":[{"code":"DIGEST_INVALID"}]}' };
    }
    stored.add(digest);
    return { status: 201, headers: { "docker-content-digest": digest } };
  });
  return { http, stored, hold: keep };
}

function upload(
  http: ReturnType<typeof fakeHttp>,
  options: { chunkBytes?: number; mountFrom?: string } = {},
  io = testIo(),
) {
  const client = new RegistryClient(testSession({ http }), "r.example", "a/b");
  const { chunkBytes = 1_000_000, mountFrom } = options;
  return uploadBlob(client, blob, async () => bytesContent(bytes), { chunkBytes, mountFrom }, io);
}

const steps = ({ requests }: { readonly requests: readonly FakeRequest[] }) =>
  requests.map(({ method, headers }) => [method, headers.get("content-range")].filter(Boolean).join(" "));
const cutOff = () => new LibraryError("network-error", "Cannot reach r.example: the connection was cut");

describe("uploadBlob()", () => {
  test("takes one POST and one PUT, and keeps the registry's query as it is", async () => {
    const { http, stored } = registry();
    expect(await upload(http)).toBe("sent");
    expect(stored.has(blob.digest)).toBe(true);
    expect(steps(http)).toEqual(["POST", "PUT"]);
    expect(http.requests[1]?.url.search).toBe(`?_state=a%2Bb&digest=${encodeURIComponent(blob.digest)}`);
    expect(http.requests[0]?.body.byteLength).toBe(0);
  });

  test("asks for a mount, and takes the session that comes instead", async () => {
    const mounted = registry(({ method }) => (method === "POST" ? { status: 201 } : undefined));
    expect(await upload(mounted.http, { mountFrom: "other/x" })).toBe("mounted");
    expect(mounted.http.requests[0]?.url.search).toBe(`?mount=${encodeURIComponent(blob.digest)}&from=other%2Fx`);
    const declined = registry();
    expect(await upload(declined.http, { mountFrom: "other/x" })).toBe("sent");
    expect(steps(declined.http)).toEqual(["POST", "PUT"]);
    const denied = registry(({ url }) => (url.searchParams.has("mount") ? { status: 403 } : undefined));
    expect(await upload(denied.http, { mountFrom: "other/x" })).toBe("sent");
    expect(steps(denied.http)).toEqual(["POST", "POST", "PUT"]);
  });

  test("names the algorithm where it is not sha256", async () => {
    const { http, stored } = registry();
    const long = describeBytes(bytes, "application/octet-stream", "sha512");
    const client = new RegistryClient(testSession({ http }), "r.example", "a/b");
    await uploadBlob(client, long, async () => bytesContent(bytes), { mountFrom: undefined }, testIo());
    expect(http.requests[0]?.url.search).toBe("?digest-algorithm=sha512");
    expect(stored.has(long.digest)).toBe(true);
  });

  test("sends chunks after 413, none but the last below OCI-Chunk-Min-Length", async () => {
    const { http, stored } = registry(({ method, body }) => {
      if (method === "POST") return { status: 202, headers: { location: session, "oci-chunk-min-length": "1400000" } };
      return method === "PUT" && body.byteLength > 0 ? { status: 413 } : undefined;
    });
    expect(await upload(http)).toBe("sent");
    expect(stored.has(blob.digest)).toBe(true);
    expect(steps(http)).toEqual([
      "POST",
      "PUT",
      "DELETE",
      "POST",
      "PATCH 0-1399999",
      "PATCH 1400000-2799999",
      "PATCH 2800000-2999999",
      "PUT",
    ]);
  });

  test("halves chunks that are too large, as often as it takes and without a wait", async () => {
    const { http, stored } = registry(({ body }) => (body.byteLength > 1_100_000 ? { status: 413 } : undefined));
    const waits: number[] = [];
    const options = { mountFrom: undefined, chunkBytes: 16 * 1024 * 1024 };
    const client = new RegistryClient(testSession({ http, waits, retry: { attempts: 1 } }), "r.example", "a/b");
    expect(await uploadBlob(client, blob, async () => bytesContent(bytes), options, testIo())).toBe("sent");
    expect(stored.has(blob.digest)).toBe(true);
    expect(waits).toEqual([]);
    expect(steps(http)).toEqual([
      "POST",
      "PUT",
      "DELETE",
      "POST",
      "PATCH 0-1499999",
      "PATCH 0-1048575",
      "PATCH 1048576-2097151",
      "PATCH 2097152-2999999",
      "PUT",
    ]);
  });

  test("goes on at the byte that the registry holds after the connection was cut", async () => {
    const { http, stored, hold } = registry(({ method }, number) => {
      if (method !== "PUT" || number !== 2) return undefined;
      hold(bytes.subarray(0, 1_234_567));
      throw cutOff();
    });
    expect(await upload(http)).toBe("sent");
    expect(stored.has(blob.digest)).toBe(true);
    expect(steps(http)).toEqual(["POST", "PUT", "GET", "PATCH 1234567-2234566", "PATCH 2234567-2999999", "PUT"]);
  });

  test("starts again where the registry forgot the session, and in chunks after the second cut", async () => {
    let cuts = 0;
    const { http, stored } = registry(({ method, body }) => {
      if (method === "GET") return { status: 404 };
      if (method !== "PUT" || body.byteLength === 0 || cuts++ >= 2) return undefined;
      throw cutOff();
    });
    expect(await upload(http)).toBe("sent");
    expect(stored.has(blob.digest)).toBe(true);
    expect(steps(http).filter((step) => step.startsWith("P"))).toEqual([
      "POST",
      "PUT",
      "POST",
      "PUT",
      "POST",
      "PATCH 0-999999",
      "PATCH 1000000-1999999",
      "PATCH 2000000-2999999",
      "PUT",
    ]);
  });

  test("is content where only the answer was lost", async () => {
    const { http, stored } = registry(({ method }) => {
      if (method === "GET") return { status: 404 };
      if (method !== "PUT") return undefined;
      stored.add(blob.digest);
      throw cutOff();
    });
    expect(await upload(http)).toBe("sent");
    expect(steps(http)).toEqual(["POST", "PUT", "GET", "HEAD"]);
  });

  test("gives up after as many attempts as the session allows", async () => {
    const { http } = registry(({ method }) => {
      if (method === "PUT" || method === "PATCH") throw cutOff();
      return method === "GET" ? { status: 404 } : undefined;
    });
    await expect(upload(http)).rejects.toMatchObject({ code: "network-error" });
    expect(steps(http).filter((step) => step === "POST").length).toBeLessThanOrEqual(5);
  });

  test("refuses wrong bytes as digest-mismatch and cancels the session", async () => {
    const { http, stored } = registry();
    const client = new RegistryClient(testSession({ http }), "r.example", "a/b");
    const wrong = async () => bytesContent(seededBytes(3_000_000, 2));
    const uploads = uploadBlob(client, blob, wrong, { mountFrom: undefined }, testIo());
    await expect(uploads).rejects.toMatchObject({ code: "digest-mismatch" });
    expect(steps(http)).toEqual(["POST", "PUT", "DELETE"]);
    expect(stored.size).toBe(0);
  });

  test("refuses content of another size before it is sent", async () => {
    const { http } = registry();
    const client = new RegistryClient(testSession({ http }), "r.example", "a/b");
    const short = async () => bytesContent(bytes.subarray(1));
    const uploads = uploadBlob(client, blob, short, { mountFrom: undefined }, testIo());
    await expect(uploads).rejects.toMatchObject({ code: "size-mismatch" });
    expect(steps(http)).toEqual(["POST", "DELETE"]);
  });

  test("does not believe a 201 for another digest", async () => {
    const headers = { "docker-content-digest": digestOf("other") };
    const { http } = registry(({ method }) => (method === "PUT" ? { status: 201, headers } : undefined));
    await expect(upload(http)).rejects.toMatchObject({ code: "digest-mismatch" });
  });

  test.each([
    ["more than was sent", "0-2999999"],
    ["less than before", "0-5"],
    ["no range", "nonsense"],
  ])("gives up where the registry claims to hold %s", async (_, range) => {
    const { http } = registry(({ method, body, headers }) => {
      if (method === "PUT" && body.byteLength > 0) return { status: 413 };
      if (method !== "PATCH" || headers.get("content-range")?.startsWith("0-")) return undefined;
      return { status: 202, headers: { location: session, range } };
    });
    const failing = upload(http, { chunkBytes: 1_000_000 });
    await expect(failing).rejects.toMatchObject({ code: "registry-error" });
    expect(steps(http).at(-1)).toBe("DELETE");
  });

  test("gives up on a PUT that is always answered with 202", async () => {
    const { http } = registry(({ method }) => (method === "PUT" ? { status: 202 } : undefined));
    await expect(upload(http)).rejects.toMatchObject({ code: "registry-error" });
    expect(steps(http)).toEqual(["POST", "PUT", "DELETE"]);
  });

  test("cancels the session when the signal aborts, with the signal's reason", async () => {
    const controller = new AbortController();
    const { http } = registry(({ method }) => {
      if (method !== "PUT") return undefined;
      controller.abort(new Error("stopped by the user"));
      throw controller.signal.reason;
    });
    await expect(upload(http, {}, testIo(controller.signal))).rejects.toThrow("stopped by the user");
    expect(steps(http)).toEqual(["POST", "PUT", "DELETE"]);
  });

  test("sends the body to a Location on another host without credentials", async () => {
    const http = fakeHttp((request) => {
      if (request.url.host === "r.example" && !request.headers.has("authorization")) {
        return { status: 401, headers: { "www-authenticate": "Basic realm=x" } };
      }
      if (request.method === "POST") return { status: 202, headers: { location: "https://s.example/up?x=1" } };
      return { status: 201 };
    });
    const credential = { kind: "basic", username: "ann", password: "secret" } as const;
    const client = new RegistryClient(testSession({ http, credential }), "r.example", "a/b");
    await uploadBlob(client, blob, async () => bytesContent(bytes), { mountFrom: undefined }, testIo());
    const shown = http.requests.map(({ method, url, headers }) => [method, url.host, headers.has("authorization")]);
    expect(shown).toEqual([
      ["POST", "r.example", false],
      ["POST", "r.example", true],
      ["PUT", "s.example", false],
    ]);
  });

  test("refuses a Location on plain http after https", async () => {
    const headers = { location: "http://r.example/up" };
    const { http } = registry(({ method }) => (method === "POST" ? { status: 202, headers } : undefined));
    await expect(upload(http)).rejects.toMatchObject({ code: "insecure-refused" });
    expect(steps(http)).toEqual(["POST"]);
  });
});
