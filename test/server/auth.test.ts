import { describe, expect, test } from "bun:test";
import { hashSync } from "bcryptjs";
import { isLibraryError } from "../../src/core/error.ts";
import { htpasswd } from "../../src/server/auth.ts";
import { Refusal } from "../../src/server/errors.ts";
import { startTestRegistry } from "../support/registry.ts";
import { codes, repositoryRequests } from "../support/registry-requests.ts";

const basic = (user: string, password: string) => `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
const hash = hashSync("secret", 4);
const options = { file: "users", cacheKey: "key", now: () => new Date(0) };

describe("htpasswd()", () => {
  test.each([
    ["alice", "secret", true],
    ["alice", "Secret", false],
    ["alice", "", false],
    ["Alice", "secret", false],
    ["mallory", "secret", false],
    ["", "secret", false],
  ])("answers %s:%s with %p", async (user, password, expected) => {
    const authenticate = htpasswd(`# users\n\nalice:${hash}\r\n`, options);
    expect(await authenticate(basic(user, password))).toBe(expected);
    expect(await authenticate(basic(user, password))).toBe(expected);
  });

  test.each([null, "", "Basic", "Basic !!!", `Basic ${btoa("nocolon")}`, "Bearer x", `Basic ${"A".repeat(10_000)}`])(
    "refuses the header %p",
    async (header) => {
      expect(await htpasswd(`alice:${hash}`, options)(header)).toBe(false);
    },
  );

  test("takes a password with colons and letters beyond ASCII", async () => {
    const authenticate = htpasswd(`bob:${hashSync("pä:ss", 4)}`, options);
    expect(await authenticate(basic("bob", "pä:ss"))).toBe(true);
  });

  test("checks equal pairs that come at the same time once, and remembers them for a minute", async () => {
    let now = 0;
    // A cost at which 16 checks one after the other would take seconds
    const authenticate = htpasswd(`alice:${hashSync("secret", 11)}`, { ...options, now: () => new Date(now) });
    const once = performance.now();
    await authenticate(basic("alice", "secret"));
    const cost = performance.now() - once;
    now = 61_000;
    const begun = performance.now();
    const answers = await Promise.all(Array.from({ length: 16 }, () => authenticate(basic("alice", "secret"))));
    expect(answers).toEqual(Array.from({ length: 16 }, () => true));
    expect(performance.now() - begun).toBeLessThan(cost * 8);
  });

  test("refuses more sign-ins at a time than it can check", async () => {
    const authenticate = htpasswd(`alice:${hashSync("secret", 8)}`, options);
    const results = await Promise.allSettled(
      Array.from({ length: 80 }, (_, at) => authenticate(basic("alice", `${at}`))),
    );
    const refused = results.filter(({ status }) => status === "rejected");
    expect(refused.length).toBe(16);
    expect(refused.every((result) => result.status === "rejected" && result.reason instanceof Refusal)).toBe(true);
  });

  test.each([
    "",
    "# nobody",
    "alice:plain",
    "alice:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=",
    "alice",
    `:${hash}`,
    `a:${hash}\nb:x`,
  ])("refuses the file %p", (text) => {
    let error: unknown;
    try {
      htpasswd(text, options);
    } catch (thrown) {
      error = thrown;
    }
    expect(isLibraryError(error, "invalid-input")).toBe(true);
  });
});

test("a registry with users answers every route with 401 and a challenge until they sign in", async () => {
  const registry = await startTestRegistry({ users: { alice: "secret" } });
  try {
    for (const path of ["/v2/", "/v2/_catalog", "/v2/a/tags/list", "/v2/a/manifests/t", "/anything"]) {
      for (const headers of [{}, { authorization: basic("alice", "wrong") }]) {
        const response = await fetch(`${registry.url}${path}`, { headers });
        expect([response.status, await codes(response)]).toEqual([401, ["UNAUTHORIZED"]]);
        expect(response.headers.get("www-authenticate")).toStartWith("Basic realm=");
      }
    }
    const headers = { authorization: basic("alice", "secret") };
    expect((await fetch(`${registry.url}/v2/`, { headers })).status).toBe(200);
    const upload = await repositoryRequests(registry.url, "a").send("POST", "blobs/uploads/", { headers });
    expect(upload.status).toBe(202);
  } finally {
    await registry.stop();
  }
});

test("a read-only registry serves and refuses every write with 405 UNSUPPORTED", async () => {
  const writable = await startTestRegistry();
  const image = await repositoryRequests(writable.url, "app").pushImage(1, { tag: "t" });
  const registry = await startTestRegistry({ root: writable.root, readOnly: true });
  try {
    const requests = repositoryRequests(registry.url, "app");
    expect(await (await requests.send("GET", "manifests/t")).bytes()).toEqual(image.bytes);
    for (const [method, path] of [
      ["POST", "blobs/uploads/"],
      ["PUT", "manifests/t"],
      ["DELETE", "manifests/t"],
      ["DELETE", `blobs/${image.descriptor.digest}`],
      ["PATCH", "blobs/uploads/x"],
    ] as const) {
      const response = await requests.send(method, path);
      expect([response.status, await codes(response)]).toEqual([405, ["UNSUPPORTED"]]);
    }
    expect((await requests.send("GET", "manifests/t")).status).toBe(200);
  } finally {
    await registry.stop();
    await writable.stop();
  }
});
