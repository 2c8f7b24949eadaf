import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdir, stat } from "node:fs/promises";
import { createConnection } from "node:net";
import { join } from "node:path";
import { digestOf } from "../../src/oci/make.ts";
import { seededBytes } from "../support/graph.ts";
import { startTestRegistry, type TestRegistry } from "../support/registry.ts";
import { codes, repositoryRequests } from "../support/registry-requests.ts";

let registry: TestRegistry;
beforeAll(async () => {
  registry = await startTestRegistry();
});
afterAll(() => registry.stop());
const repository = (name: string) => repositoryRequests(registry.url, name);

async function begin(name: string, query = ""): Promise<string> {
  const response = await repository(name).send("POST", `blobs/uploads/${query}`);
  expect(response.status).toBe(202);
  return new URL(response.headers.get("location") ?? "", registry.url).href;
}

const patch = (location: string, body: Uint8Array, range?: string) =>
  fetch(location, { method: "PATCH", body, ...(range ? { headers: { "content-range": range } } : {}) });
const put = (location: string, digest: string, body?: Uint8Array, headers?: Record<string, string>) =>
  fetch(`${location}?digest=${digest}`, { method: "PUT", ...(body ? { body } : {}), ...(headers ? { headers } : {}) });

/** Asks until the answer is yes; the test's own limit ends it. */
async function until(ask: () => Promise<boolean>): Promise<void> {
  while (!(await ask()));
}

describe("an upload in one piece", () => {
  test("POST gives 202 with a Location that holds a UUID, and its id", async () => {
    const response = await repository("post").send("POST", "blobs/uploads/");
    const id = response.headers.get("docker-upload-uuid") ?? "";
    expect(response.status).toBe(202);
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/);
    expect(response.headers.get("location")).toBe(`/v2/post/blobs/uploads/${id}`);
    expect(response.headers.get("range")).toBe("0-0");
  });

  test.each([0, 1, 1000, 1024 * 1024, 1024 * 1024 + 1, 5_000_000])("PUT with all %d bytes gives 201", async (size) => {
    const bytes = seededBytes(size, size);
    const digest = digestOf(bytes);
    const response = await put(await begin("put"), digest, bytes);
    expect(response.status).toBe(201);
    expect(response.headers.get("location")).toBe(`/v2/put/blobs/${digest}`);
    expect(response.headers.get("docker-content-digest")).toBe(digest);
    expect(digestOf(await (await repository("put").send("GET", `blobs/${digest}`)).bytes())).toBe(digest);
  });

  test("POST with digest and body gives 201 at once", async () => {
    const bytes = seededBytes(2000, 1);
    const response = await repository("single").send("POST", `blobs/uploads/?digest=${digestOf(bytes)}`, {
      body: bytes,
    });
    expect([response.status, response.headers.get("location")]).toEqual([201, `/v2/single/blobs/${digestOf(bytes)}`]);
  });

  test.each([100, 3_000_000])("%d bytes of another digest are 400 DIGEST_INVALID and leave nothing", async (size) => {
    const wrong = digestOf(`not ${size}`);
    const location = await begin("wrong");
    const response = await put(location, wrong, seededBytes(size, 2));
    expect([response.status, await codes(response)]).toEqual([400, ["DIGEST_INVALID"]]);
    expect((await repository("wrong").send("HEAD", `blobs/${wrong}`)).status).toBe(404);
    expect((await fetch(location)).status).toBe(404);
  });

  test.each([100, 3_000_000])("%d wrong bytes are refused also where the right ones are there", async (size) => {
    const right = await repository("again").pushBlob(seededBytes(size, 3));
    const response = await put(await begin("again"), right.digest, seededBytes(size, 4));
    expect([response.status, await codes(response)]).toEqual([400, ["DIGEST_INVALID"]]);
    const kept = await (await repository("again").send("GET", `blobs/${right.digest}`)).bytes();
    expect(digestOf(kept)).toBe(right.digest);
  });

  test.each(["", "md5:d41d8cd98f00b204e9800998ecf8427e", "sha256:abc"])(
    "PUT with the digest %p is 400 DIGEST_INVALID",
    async (digest) => {
      const response = await put(await begin("bad"), digest, seededBytes(1, 1));
      expect([response.status, await codes(response)]).toEqual([400, ["DIGEST_INVALID"]]);
    },
  );

  test("sha512 is taken, with and without being announced", async () => {
    const bytes = seededBytes(4000, 5);
    const digest = digestOf(bytes, "sha512");
    expect((await put(await begin("sha512", "?digest-algorithm=sha512"), digest, bytes)).status).toBe(201);
    expect((await put(await begin("sha512-bare"), digest, bytes)).status).toBe(201);
    const got = await repository("sha512").send("GET", `blobs/${digest}`);
    expect(digestOf(await got.bytes(), "sha512")).toBe(digest);
  });

  test("another digest algorithm is refused at the POST", async () => {
    const response = await repository("alg").send("POST", "blobs/uploads/?digest-algorithm=md5");
    expect([response.status, await codes(response)]).toEqual([400, ["DIGEST_INVALID"]]);
  });
});

describe("an upload in chunks", () => {
  const bytes = seededBytes(30_000, 6);
  const digest = digestOf(bytes);

  test("takes chunks in order, each with 202, Location and Range, and a last one in the PUT", async () => {
    const location = await begin("chunks");
    const first = await patch(location, bytes.slice(0, 10_000), "0-9999");
    expect([first.status, first.headers.get("range")]).toEqual([202, "0-9999"]);
    expect(new URL(first.headers.get("location") ?? "", registry.url).href).toBe(location);
    const second = await patch(location, bytes.slice(10_000, 20_000), "10000-19999");
    expect([second.status, second.headers.get("range")]).toEqual([202, "0-19999"]);
    const last = await put(location, digest, bytes.slice(20_000), { "content-range": "20000-29999" });
    expect(last.status).toBe(201);
    expect(digestOf(await (await repository("chunks").send("GET", `blobs/${digest}`)).bytes())).toBe(digest);
  });

  test("takes a chunk without Content-Range, and a PUT without a body", async () => {
    const location = await begin("stream");
    expect((await patch(location, bytes)).status).toBe(202);
    expect((await put(location, digest)).status).toBe(201);
  });

  test("takes a body of unknown length", async () => {
    const location = await begin("unknown-length");
    const body = new ReadableStream({
      start(controller) {
        controller.enqueue(bytes.slice(0, 1000));
        controller.enqueue(bytes.slice(1000));
        controller.close();
      },
    });
    expect((await fetch(`${location}?digest=${digest}`, { method: "PUT", body })).status).toBe(201);
  });

  test("refuses a first chunk that is not at 0 and one out of order with 416 and Range", async () => {
    const location = await begin("order");
    expect((await patch(location, bytes.slice(10_000, 20_000), "10000-19999")).status).toBe(416);
    expect((await patch(location, bytes.slice(0, 10_000), "0-9999")).status).toBe(202);
    const gap = await patch(location, bytes.slice(20_000), "20000-29999");
    expect([gap.status, gap.headers.get("range")]).toEqual([416, "0-9999"]);
    const back = await patch(location, bytes.slice(0, 10_000), "0-9999");
    expect([back.status, back.headers.get("range")]).toEqual([416, "0-9999"]);
    expect((await put(location, digest, bytes.slice(20_000), { "content-range": "20000-29999" })).status).toBe(416);
    expect((await patch(location, bytes.slice(10_000), "10000-29999")).status).toBe(202);
    expect((await put(location, digest)).status).toBe(201);
  });

  test.each([
    ["bytes 0-9", 400],
    ["0-8", 400],
    ["0-10", 400],
    ["9-0", 416],
    ["x", 400],
    ["5-4", 416],
  ])("Content-Range %s for 10 bytes is %d and nothing is kept", async (range, status) => {
    const location = await begin("claims");
    expect((await patch(location, bytes.slice(0, 10), range)).status).toBe(status);
    expect((await fetch(location)).headers.get("range")).toBe("0-0");
    expect((await patch(location, bytes.slice(0, 10), "0-9")).status).toBe(202);
  });

  test("tells how far it is with 204, Location and Range", async () => {
    const location = await begin("status");
    await patch(location, bytes.slice(0, 123), "0-122");
    const response = await fetch(location);
    expect([response.status, response.headers.get("range")]).toEqual([204, "0-122"]);
    expect(new URL(response.headers.get("location") ?? "", registry.url).href).toBe(location);
  });

  test("is gone after its cancel, with its bytes", async () => {
    const location = await begin("cancel");
    await patch(location, bytes, "0-29999");
    const id = location.split("/").at(-1) ?? "";
    expect((await fetch(location, { method: "DELETE" })).status).toBe(204);
    for (const method of ["GET", "PATCH", "DELETE"]) {
      const response = await fetch(location, { method });
      expect([response.status, await codes(response)]).toEqual([404, ["BLOB_UPLOAD_UNKNOWN"]]);
    }
    const left = await readdir(join(registry.root, ".uploads"));
    expect(left.filter((name) => name.startsWith(id))).toEqual([]);
  });

  test("belongs to its repository", async () => {
    const location = await begin("mine");
    const other = location.replace("/v2/mine/", "/v2/yours/");
    expect((await fetch(other)).status).toBe(404);
  });

  test("leaves no file behind when it is complete", async () => {
    const location = await begin("tidy");
    await patch(location, bytes, "0-29999");
    await put(location, digest);
    const id = location.split("/").at(-1) ?? "";
    expect((await readdir(join(registry.root, ".uploads"))).filter((name) => name.startsWith(id))).toEqual([]);
  });

  test("keeps what came before its connection was cut", async () => {
    const large = seededBytes(3_000_000, 5);
    const location = await begin("cut");
    const { pathname } = new URL(location);
    const id = location.split("/").at(-1) ?? "";
    const folder = join(registry.root, ".uploads");
    const written = async (): Promise<number> => {
      const name = (await readdir(folder)).find((found) => found.startsWith(id));
      return name === undefined ? 0 : (await stat(join(folder, name))).size;
    };
    const socket = createConnection({ host: "127.0.0.1", port: Number(new URL(registry.url).port) });
    const head = `PATCH ${pathname} HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\nContent-Range: 0-2999999\r\n\r\n`;
    socket.write(head);
    socket.write(large.subarray(0, 2_000_000));
    // Cut only when some of it has been written: before, there is nothing to keep
    await until(async () => (await written()) > 0);
    socket.destroy();
    let kept = 0;
    // Refused as long as the server still takes what has arrived
    await until(async () => {
      const { headers } = await fetch(location);
      kept = Number(/^0-([1-9][0-9]*)$/.exec(headers.get("range") ?? "")?.[1] ?? -1) + 1;
      return (await patch(location, large.slice(kept), `${kept}-2999999`)).status === 202;
    });
    expect(kept).toBeGreaterThan(0);
    expect(kept).toBeLessThanOrEqual(2_000_000);
    expect((await put(location, digestOf(large))).status).toBe(201);
  });
});
