import { describe, expect, test } from "bun:test";
import { RegistryClient } from "../../src/registry/client.ts";
import { checkTarget } from "../../src/registry/redirect.ts";
import { testIo } from "../support/io.ts";
import { answerWith, rawServer } from "../support/raw-server.ts";
import { type FakeRequest, type FakeResponse, fakeHttp, testSession } from "../support/session.ts";

const credential = { kind: "basic", username: "ann", password: "secret" } as const;

/** Asks `registry` for a blob, with every answer made by `answer`. */
function get(registry: string, answer: (request: FakeRequest, number: number) => FakeResponse) {
  const http = fakeHttp(answer);
  const client = new RegistryClient(testSession({ http, credential }), registry, "a/b");
  const request = { method: "GET", target: "/v2/a/b/blobs/x", scopes: [], purpose: "get", accept: [200] } as const;
  return { http, response: client.send(request, testIo()) };
}

describe("RegistryClient.send() and redirects", () => {
  test("sends Authorization to the registry, and over the wire never to the host it redirects to", async () => {
    const storage = await rawServer((socket) => answerWith(socket, "200 OK", [], "content"));
    const registry = await rawServer((socket, head) => {
      if (/^authorization: Basic/im.test(head)) {
        // Another port is another host
        answerWith(socket, "307 Temporary Redirect", [`Location: ${storage.url}/signed?x=1`], "");
      } else answerWith(socket, "401 Unauthorized", ['WWW-Authenticate: Basic realm="x"'], "");
    });
    try {
      const client = new RegistryClient(testSession({ credential }), new URL(registry.url).host, "a/b");
      const request = { method: "GET", target: "/v2/a/b/blobs/x", scopes: [], purpose: "get", accept: [200] } as const;
      const response = await client.send(request, testIo());
      expect(new TextDecoder().decode(await response.body.bytes(100))).toBe("content");
      expect(registry.heads).toHaveLength(2);
      expect(registry.heads[1]).toMatch(/^authorization: Basic /im);
      expect(storage.heads).toHaveLength(1);
      expect(storage.heads[0]).not.toMatch(/authorization/i);
    } finally {
      await Promise.all([registry.stop(), storage.stop()]);
    }
  });

  test("does not take Authorization up again when a redirect leads back", async () => {
    const { http, response } = get("r.example", ({ url, headers }) => {
      if (url.host === "s.example") return { status: 302, headers: { location: "https://r.example/back" } };
      if (url.pathname === "/back") return { status: 200 };
      if (!headers.has("authorization")) return { status: 401, headers: { "www-authenticate": "Basic realm=x" } };
      return { status: 302, headers: { location: "https://s.example/away" } };
    });
    await response;
    const shown = http.requests.map(({ url, headers }) => [url.pathname, headers.has("authorization")]);
    expect(shown).toEqual([
      ["/v2/a/b/blobs/x", false],
      ["/v2/a/b/blobs/x", true],
      ["/away", false],
      ["/back", false],
    ]);
  });

  test("answers no challenge of the host that it was redirected to", async () => {
    const { http, response } = get("r.example", ({ url }) =>
      url.host === "r.example"
        ? { status: 307, headers: { location: "https://s.example/x" } }
        : { status: 401, headers: { "www-authenticate": "Basic realm=x" } },
    );
    await expect(response).rejects.toMatchObject({ code: "unauthorized" });
    expect(http.requests.some(({ headers }) => headers.has("authorization"))).toBe(false);
  });

  test.each([
    "http://r.example/x",
    "http://s.example/x",
    "file:///etc/passwd",
    "ftp://s.example/x",
    "https://u:p@s.example/x",
    "https://169.254.169.254/latest/meta-data",
    "https://0xa9fea9fe/",
    "https://[fe80::1]/",
    "https://[febf::1]/",
    "https://[::ffff:169.254.169.254]/",
    "https://metadata.google.internal./",
    "https://127.0.0.1/x",
    "https://127.1./x",
    "https://0.0.0.0/x",
    "https://0.1.2.3/x",
    "https://[::]/x",
    "https://[::1]/x",
    "https://[::ffff:127.0.0.1]/x",
    "https://[::ffff:0.0.0.0]/x",
    "https://localhost./x",
    "https://a.localhost./x",
  ])("refuses a redirect to %p as insecure", async (location) => {
    const { http, response } = get("r.example", () => ({ status: 307, headers: { location } }));
    await expect(response).rejects.toMatchObject({ code: "insecure-refused" });
    expect(http.requests).toHaveLength(1);
  });

  test.each(["10.1.2.3", "[::ffff:10.1.2.3]", "[fd12::1]", "0.0.0.0", "localhost.", "registry"])(
    "follows the private registry %p to this machine",
    (host) => {
      const from = new URL(`https://${host}/v2/`);
      expect(checkTarget("https://127.0.0.1/x", from, "get").host).toBe("127.0.0.1");
    },
  );

  test.each(["10.example.com", "[fd::1]", "[fc::1]", "[2001:db8::1]", "[::ffff:8.8.8.8]", "192.168.example.com"])(
    "does not follow the public registry %p to this machine",
    (host) => {
      const from = new URL(`https://${host}/v2/`);
      expect(() => checkTarget("https://127.0.0.1/x", from, "get")).toThrow(
        expect.objectContaining({ code: "insecure-refused" }),
      );
    },
  );

  test("gives up after ten redirects", async () => {
    const { http, response } = get("r.example", (_, number) => ({ status: 302, headers: { location: `/${number}` } }));
    await expect(response).rejects.toMatchObject({ code: "registry-error" });
    expect(http.requests).toHaveLength(11);
  });

  test("does not turn a PUT that is answered with 302 into a GET", async () => {
    const http = fakeHttp(() => ({ status: 302, headers: { location: "/x" } }));
    const client = new RegistryClient(testSession({ http }), "r.example", "a/b");
    const sends = client.send({ method: "PUT", target: "/v2/", scopes: [], purpose: "put", accept: [201] }, testIo());
    await expect(sends).rejects.toMatchObject({ code: "registry-error" });
    expect(http.requests.map(({ method }) => method)).toEqual(["PUT"]);
  });
});
