import { describe, expect, test } from "bun:test";
import { LibraryError } from "../../src/core/error.ts";
import { RegistryClient } from "../../src/registry/client.ts";
import { testIo } from "../support/io.ts";
import { type FakeRequest, type FakeResponse, fakeHttp, type SessionChoices, testSession } from "../support/session.ts";

type Answer = (request: FakeRequest, number: number) => FakeResponse;

function setUp(registry: string, answer: Answer, choices: SessionChoices = {}) {
  const http = fakeHttp(answer);
  const waits: number[] = [];
  const io = testIo();
  const client = new RegistryClient(testSession({ http, waits, ...choices }), registry, "a/b");
  const send = () => client.send({ method: "GET", target: "/v2/x", scopes: [], purpose: "ask", accept: [200] }, io);
  return { http, waits, io, client, send };
}

const refused = () => {
  throw new LibraryError("network-error", "Cannot reach x: the connection was cut");
};
const network = { plainHttp: false, insecureRegistries: [], caFiles: [], authFile: undefined, concurrency: 16 };

describe("RegistryClient.send() and retries", () => {
  test.each([408, 429, 500, 502, 503, 504])("sends again after %p, with waits that grow", async (status) => {
    const { http, waits, io, send } = setUp("r.example", (_, number) => ({ status: number < 4 ? status : 200 }));
    await send();
    expect(http.requests).toHaveLength(4);
    // Half of the jitter, as the test's random says
    expect(waits).toEqual([75, 150, 300]);
    expect(io.events.filter(({ kind }) => kind === "wait")).toHaveLength(3);
  });

  test("gives up after as many attempts as the session allows, with the registry's error", async () => {
    const { http, send } = setUp("r.example", () => ({ status: 503, body: "busy" }));
    await expect(send()).rejects.toMatchObject({ code: "registry-error", refusal: { status: 503 } });
    expect(http.requests).toHaveLength(4);
  });

  test("waits as long as Retry-After says, in seconds or to a date", async () => {
    const now = new Date("2026-01-31T12:00:00Z");
    const answer: Answer = (_, number) =>
      number === 1
        ? { status: 429, headers: { "retry-after": "7" } }
        : number === 2
          ? { status: 503, headers: { "retry-after": "Sat, 31 Jan 2026 12:00:30 GMT" } }
          : { status: 200 };
    const { waits, send } = setUp("r.example", answer, {
      now: () => now,
      random: { hex: () => "", fraction: () => 0 },
    });
    await send();
    expect(waits).toEqual([7000, 30_000]);
  });

  test("does not wait for a Retry-After beyond the longest allowed", async () => {
    const { http, waits, send } = setUp("r.example", () => ({ status: 429, headers: { "retry-after": "86400" } }));
    await expect(send()).rejects.toMatchObject({ code: "registry-error" });
    expect(http.requests).toHaveLength(1);
    expect(waits).toEqual([]);
  });

  test("sends again after a network error", async () => {
    const { http, send } = setUp("r.example", (_, number) => (number < 3 ? refused() : { status: 200 }));
    await send();
    expect(http.requests).toHaveLength(3);
  });

  test.each([400, 403, 404, 405, 501])("does not send again after %p", async (status) => {
    const { http, send } = setUp("r.example", () => ({ status }));
    await expect(send()).rejects.toMatchObject({ refusal: { status } });
    expect(http.requests).toHaveLength(1);
  });
});

describe("RegistryClient.send() and protocols", () => {
  const origins = ({ requests }: { readonly requests: readonly FakeRequest[] }) =>
    requests.map(({ url }) => url.origin);

  test.each([
    ["r.example", "https://r.example"],
    ["docker.io", "https://registry-1.docker.io"],
    ["localhost:5000", "http://localhost:5000"],
    ["127.0.0.9:5000", "http://127.0.0.9:5000"],
    ["[::1]:5000", "http://[::1]:5000"],
  ])("reaches %s at %s", async (registry, origin) => {
    const { http, client, send } = setUp(registry, () => ({ status: 200 }));
    await send();
    expect(origins(http)).toEqual([origin]);
    expect(client.origin()).toBe(origin);
  });

  test("never falls back to plain http, but for insecure registries", async () => {
    const answer: Answer = ({ url }) => (url.protocol === "https:" ? refused() : { status: 200 });
    const strict = setUp("r.example", answer);
    await expect(strict.send()).rejects.toMatchObject({ code: "network-error" });
    expect(origins(strict.http)).not.toContain("http://r.example");
    const lax = setUp("r.example", answer, { network: { ...network, insecureRegistries: ["r.example"] } });
    await lax.send();
    await lax.send();
    expect(origins(lax.http)).toEqual(["https://r.example", "http://r.example", "http://r.example"]);
  });

  test("speaks TLS to a loopback registry that says it wants it", async () => {
    const text = "Client sent an HTTP request to an HTTPS server.";
    const answer: Answer = ({ url }) => (url.protocol === "http:" ? { status: 400, body: text } : { status: 200 });
    const { client, send } = setUp("localhost:5000", answer);
    await send();
    expect(client.origin()).toBe("https://localhost:5000");
  });

  test("speaks plain http to every registry where the user says so", async () => {
    const { http, send } = setUp("r.example", () => ({ status: 200 }), { network: { ...network, plainHttp: true } });
    await send();
    expect(origins(http)).toEqual(["http://r.example"]);
  });
});

describe("RegistryClient.send() and what the registry says", () => {
  test("shows codes, request id and at most 1 KiB of text without control characters, and no query", async () => {
    const message = `\u001b[2J\u001b]0;title\u0007bad\r\nthing\u202e ${"x".repeat(5000)}`;
    const body = JSON.stringify({ errors: [{ code: "DENIED", message }, { code: "OTHER" }] });
    const { send } = setUp("r.example", () => ({ status: 403, headers: { "x-request-id": "abc\u009b" }, body }));
    const error = await send().catch((caught: LibraryError) => caught);
    expect(error).toMatchObject({
      code: "unauthorized",
      refusal: { status: 403, codes: ["DENIED", "OTHER"], requestId: "abc", request: "GET https://r.example/v2/x" },
    });
    const { message: shown } = error as LibraryError;
    expect(shown).toContain("403 DENIED: bad thing");
    expect(shown.length).toBeLessThan(1200);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what must not be there
    expect(shown).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202e]/);
  });

  test("survives an error with an endless body", async () => {
    const body = new Uint8Array(2_000_000).fill(65);
    const { send } = setUp("r.example", () => ({ status: 400, body }));
    const error = await send().catch((caught: LibraryError) => caught);
    expect((error as LibraryError).message.length).toBeLessThan(1200);
  });

  test("emits each Warning once, however often it comes", async () => {
    const { io, send } = setUp("r.example", () => ({ status: 200, headers: { warning: '299 - "moves soon"' } }));
    await send();
    await send();
    const message = "r.example: moves soon";
    expect(io.events.filter(({ kind }) => kind === "warning")).toEqual([
      { kind: "warning", code: "registry-warning", message },
    ]);
  });
});

describe("RegistryClient", () => {
  const session = testSession({ http: fakeHttp(() => ({ status: 200 })) });

  test.each(["a/../b", "a/%2e%2e", "A", "a?b", "a#b", "a b", "/a", "a//b"])("refuses the repository %p", (name) => {
    expect(() => new RegistryClient(session, "r.example", name)).toThrow(
      expect.objectContaining({ code: "invalid-reference" }),
    );
  });

  test.each(["../x", "a/b", "a?b", "sha256:../../x", "", "a#b", "é"])("refuses the reference %p", (reference) => {
    const client = new RegistryClient(session, "r.example", "a/b");
    expect(() => client.path("manifests", reference)).toThrow(expect.objectContaining({ code: "invalid-reference" }));
  });
});
