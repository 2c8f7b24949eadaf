import { describe, expect, test } from "bun:test";
import type { Http } from "../../src/core/ports.ts";
import { RegistryClient } from "../../src/registry/client.ts";
import type { Credential } from "../../src/registry/credential.ts";
import { testIo } from "../support/io.ts";
import { type FakeRequest, type FakeResponse, fakeHttp, type SessionChoices, testSession } from "../support/session.ts";

const basic: Credential = { kind: "basic", username: "ann", password: "secret" };
const annSecret = `Basic ${btoa("ann:secret")}`;

/** A registry `r.example` that takes only the newest token of its server, which counts from t1 on. */
function tokenRegistry(options: { realm?: string; answer?: (request: FakeRequest) => FakeResponse | undefined } = {}) {
  const realm = options.realm ?? "https://auth.r.example/token";
  let issued = 0;
  const revoked = new Set<string>();
  const http = fakeHttp((request) => {
    if (request.url.href.startsWith(realm)) {
      const given = options.answer?.(request);
      if (given) return given;
      issued++;
      return { status: 200, body: JSON.stringify({ token: `t${issued}`, expires_in: 300 }) };
    }
    const token = request.headers.get("authorization")?.replace("Bearer ", "");
    if (token?.startsWith("t") && !revoked.has(token)) return { status: 200, body: "yes" };
    const challenge = `Bearer realm="${realm}",service="svc",scope="repository:a/b:pull"`;
    const body = '{"errors":[{"code":"UNAUTHORIZED","message":"log in"}]}';
    return { status: 401, headers: { "www-authenticate": challenge }, body };
  });
  return { http, revoke: (token: string) => revoked.add(token) };
}

function ask(choices: SessionChoices, io = testIo(), session = testSession(choices)) {
  const client = new RegistryClient(session, "r.example", "a/b");
  return (scope = "repository:a/b:pull,push") =>
    client.send({ method: "GET", target: "/v2/a/b/x", scopes: [scope], purpose: "ask", accept: [200] }, io);
}

const toRealm = (requests: readonly FakeRequest[]) => requests.filter(({ url }) => url.pathname === "/token");

describe("RegistryClient.send() at a registry with tokens", () => {
  test("asks anonymously first, then with the scopes of both sides, and keeps the token", async () => {
    const { http } = tokenRegistry();
    const send = ask({ http, credential: basic });
    await send("repository:a/b:push");
    await send("repository:a/b:push");
    expect(http.requests.map(({ url }) => url.host)).toEqual(["r.example", "auth.r.example", "r.example", "r.example"]);
    expect(http.requests[0]?.headers.has("authorization")).toBe(false);
    const [token] = toRealm(http.requests);
    expect(token?.headers.get("authorization")).toBe(annSecret);
    expect(token?.url.searchParams.getAll("scope")).toEqual(["repository:a/b:pull,push"]);
    expect(token?.url.searchParams.get("service")).toBe("svc");
    expect(token?.url.searchParams.get("account")).toBe("ann");
    expect(http.requests[3]?.headers.get("authorization")).toBe("Bearer t1");
  });

  test("leaves no answer open where the token cannot be had", async () => {
    const { http } = tokenRegistry({ answer: () => ({ status: 403, body: "no" }) });
    const open = new Set<URL>();
    const watched: Http = {
      ...http,
      async send(request) {
        const response = await http.send(request);
        const { body } = response;
        open.add(request.url);
        const taken = <T>(take: () => T): T => {
          open.delete(request.url);
          return take();
        };
        return {
          ...response,
          body: {
            ...body,
            bytes: (limit) => taken(() => body.bytes(limit)),
            stream: () => taken(() => body.stream()),
            cancel: () => taken(() => body.cancel()),
          },
        };
      },
    };
    await expect(ask({ http: watched, credential: basic })()).rejects.toMatchObject({ code: "unauthorized" });
    expect(http.requests.map(({ url }) => url.host)).toEqual(["r.example", "auth.r.example"]);
    expect([...open]).toEqual([]);
  });

  test("fetches one token for 16 requests at a time", async () => {
    const { http } = tokenRegistry();
    const send = ask({ http, credential: basic });
    await send();
    http.requests.length = 0;
    await Promise.all(Array.from({ length: 16 }, () => send("repository:a/b:delete")));
    expect(toRealm(http.requests)).toHaveLength(1);
  });

  test("refreshes a token once when the registry refuses it, and fails as unauthorized after", async () => {
    const { http, revoke } = tokenRegistry();
    const send = ask({ http, credential: basic });
    await send();
    revoke("t1");
    await send();
    expect(toRealm(http.requests)).toHaveLength(2);
    for (const token of ["t2", "t3", "t4", "t5"]) revoke(token);
    await expect(send()).rejects.toMatchObject({ code: "unauthorized", refusal: { codes: ["UNAUTHORIZED"] } });
    expect(toRealm(http.requests).length).toBeLessThanOrEqual(4);
  });

  test("fetches a new token when the old one has expired", async () => {
    let now = new Date("2026-01-01T00:00:00Z");
    const { http } = tokenRegistry();
    const send = ask({ http, credential: basic, now: () => now });
    await send();
    now = new Date("2026-01-01T00:04:40Z");
    await send();
    expect(toRealm(http.requests)).toHaveLength(1);
    now = new Date("2026-01-01T00:04:55Z");
    await send();
    expect(toRealm(http.requests)).toHaveLength(2);
  });

  test("posts an identity token, and falls back to GET where the server knows no POST", async () => {
    const identity: Credential = { kind: "identity-token", username: "ann", token: "refresh me" };
    const posted = tokenRegistry();
    await ask({ http: posted.http, credential: identity })();
    const [post] = toRealm(posted.http.requests);
    expect(post?.method).toBe("POST");
    expect(Object.fromEntries(new URLSearchParams(new TextDecoder().decode(post?.body)))).toEqual({
      grant_type: "refresh_token",
      client_id: "library",
      refresh_token: "refresh me",
      service: "svc",
      scope: "repository:a/b:pull,push",
    });
    const answer = ({ method }: FakeRequest) => (method === "POST" ? { status: 404 } : undefined);
    const fallen = tokenRegistry({ answer });
    await ask({ http: fallen.http, credential: identity })();
    expect(toRealm(fallen.http.requests).map(({ method }) => method)).toEqual(["POST", "GET"]);
  });

  test("sends no identity token to another domain, and warns once of a password that goes there", async () => {
    const elsewhere = "https://auth.other.example.net/token";
    const identity: Credential = { kind: "identity-token", username: undefined, token: "x" };
    const first = tokenRegistry({ realm: elsewhere });
    await expect(ask({ http: first.http, credential: identity })()).rejects.toMatchObject({ code: "insecure-refused" });
    expect(toRealm(first.http.requests)).toEqual([]);
    const second = tokenRegistry({ realm: elsewhere });
    const io = testIo();
    await ask({ http: second.http, credential: basic }, io)();
    expect(
      io.events.filter((event) => event.kind === "warning" && event.code === "credentials-elsewhere"),
    ).toHaveLength(1);
  });

  test.each([
    "http://auth.r.example/token",
    "https://user:pass@auth.r.example/token",
    "https://169.254.169.254/token",
    "https://[::ffff:169.254.169.254]/token",
    "file:///token",
    "not a url/token",
  ])("refuses the realm %p as insecure, and sends nothing there", async (realm) => {
    const { http } = tokenRegistry({ realm });
    await expect(ask({ http, credential: basic })()).rejects.toMatchObject({ code: "insecure-refused" });
    expect(http.requests).toHaveLength(1);
  });

  test.each([
    ["HTML", "<html>login</html>"],
    ["an empty object", "{}"],
    ["an empty token", '{"token":""}'],
    ["a token with a line end", '{"token":"a\\r\\nX-Injected: b"}'],
    ["a negative lifetime", '{"token":"t1","expires_in":-5}'],
    ["a huge lifetime", '{"token":"t1","expires_in":1e300}'],
  ])("refuses %s as a token", async (_, body) => {
    const { http } = tokenRegistry({ answer: () => ({ status: 200, body }) });
    await expect(ask({ http })()).rejects.toMatchObject({ code: "registry-error" });
  });

  test("stops reading a token's answer at 128 KiB", async () => {
    const body = `{"token":"${"t".repeat(200_000)}"}`;
    const { http } = tokenRegistry({ answer: () => ({ status: 200, body }) });
    await expect(ask({ http })()).rejects.toMatchObject({ code: "limit-exceeded" });
  });

  test("names no secret in the error of a refused login", async () => {
    const { http } = tokenRegistry({ answer: () => ({ status: 401, body: '{"details":"incorrect password"}' }) });
    const error = await ask({ http, credential: basic })().catch((caught: Error) => caught);
    expect(error).toMatchObject({ code: "unauthorized" });
    expect(JSON.stringify([error, String(error)])).not.toContain("secret");
  });
});

describe("RegistryClient.send() at a registry with Basic authentication", () => {
  const registry = () =>
    fakeHttp(({ headers }) =>
      headers.get("authorization") === annSecret
        ? { status: 200, body: "yes" }
        : { status: 401, headers: { "www-authenticate": 'Basic realm="x"' } },
    );

  test("sends the credentials after the 401, and at once from then on", async () => {
    const http = registry();
    const send = ask({ http, credential: basic });
    await send();
    await send();
    expect(http.requests.map(({ headers }) => headers.get("authorization"))).toEqual([null, annSecret, annSecret]);
  });

  test("does not send refused credentials twice", async () => {
    const http = registry();
    const wrong = { ...basic, password: "wrong" };
    await expect(ask({ http, credential: wrong })()).rejects.toMatchObject({ code: "unauthorized" });
    expect(http.requests).toHaveLength(2);
  });
});
