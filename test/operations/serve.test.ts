import { describe, expect, test } from "bun:test";
import { readFile } from "node:fs/promises";
import { get } from "node:https";
import { join } from "node:path";
import { hashSync } from "bcryptjs";
import { isLibraryError } from "../../src/core/error.ts";
import type { Event } from "../../src/core/event.ts";
import type { Serve, ServerRequest } from "../../src/core/ports.ts";
import { type ServeInput, type ServeReport, serve } from "../../src/operations/serve.ts";
import { makeRuntime } from "../../src/runtime/mod.ts";
import { makeAuthority, makeServerCertificate } from "../support/certificate.ts";
import { fixedContext } from "../support/fixed-context.ts";
import { withFolder } from "../support/folder.ts";

const defaults = { root: "root", address: { hostname: "127.0.0.1", port: 0 }, readOnly: false };

/** Runs `serve` in `cwd` until `body` is done, which gets its URL as soon as it listens. */
async function serving(
  cwd: string,
  input: Partial<ServeInput>,
  body: (url: string, events: readonly Event[]) => Promise<void>,
): Promise<ServeReport> {
  const stop = new AbortController();
  const context = fixedContext({ cwd, signal: stop.signal });
  const runtime = makeRuntime({ network: context.network, env: {}, signal: stop.signal });
  const { promise: listening, resolve } = Promise.withResolvers<string>();
  const { serve: listen, lock, hash, random } = runtime;
  const emit = (event: Event): void => {
    context.events.push(event);
    if (event.kind === "step") resolve(/https?:\S+/.exec(event.name)?.[0] ?? "");
  };
  const served = serve({ ...context, serve: listen, lock, hash, random, emit }, { ...defaults, ...input });
  try {
    await body(await Promise.race([listening, served.then(({ url }) => url)]), context.events);
  } finally {
    stop.abort();
    await served.catch(() => {}); // Thrown below
    await runtime.close();
  }
  return served;
}

async function codeOf(body: Promise<unknown>): Promise<string | undefined> {
  try {
    await body;
    return undefined;
  } catch (error) {
    return isLibraryError(error) ? error.code : String(error);
  }
}

describe("serve()", () => {
  test("makes the root, listens on a free port, writes the address file and reports when it is stopped", async () => {
    await withFolder({}, async (cwd) => {
      const report = await serving(cwd, { addressFile: "made/address" }, async (url) => {
        expect((await fetch(`${url}/v2/`)).status).toBe(200);
        let written = "";
        for (let tries = 0; written === "" && tries < 1000; tries++) {
          written = await readFile(join(cwd, "made/address"), "utf8").catch(() => "");
        }
        expect(written).toBe(`${url}\n`);
      });
      expect(report).toEqual({ status: "ok", url: report.url, root: join(cwd, "root") });
      expect(await codeOf(fetch(`${report.url}/v2/`))).toBeDefined();
    });
  });

  test("asks for the users of the htpasswd file", async () => {
    await withFolder({ users: `alice:${hashSync("secret", 4)}\n` }, async (cwd) => {
      await serving(cwd, { htpasswd: "users" }, async (url) => {
        expect((await fetch(`${url}/v2/`)).status).toBe(401);
        const headers = { authorization: `Basic ${btoa("alice:secret")}` };
        expect((await fetch(`${url}/v2/`, { headers })).status).toBe(200);
      });
    });
  });

  test.each<[string, Partial<ServeInput>, readonly string[]]>([
    ["127.0.0.1", {}, []],
    ["0.0.0.0", {}, ["no-authentication", "plain-text"]],
    ["0.0.0.0", { root: ".", readOnly: true }, ["no-authentication", "plain-text"]],
    ["0.0.0.0", { htpasswd: "users" }, ["plain-text-credentials"]],
    ["127.0.0.1", { htpasswd: "users" }, []],
    ["0.0.0.0", { tlsCert: "cert.pem", tlsKey: "key.pem" }, ["no-authentication"]],
    ["0.0.0.0", { tlsCert: "cert.pem", tlsKey: "key.pem", htpasswd: "users" }, []],
  ])("on %s with %p warns of %p", async (hostname, input, codes) => {
    const { cert, key } = makeServerCertificate(makeAuthority("Test authority"), { ip: ["127.0.0.1"] });
    await withFolder({ users: `alice:${hashSync("secret", 4)}\n`, "cert.pem": cert, "key.pem": key }, async (cwd) => {
      const events: Event[] = [];
      const context = fixedContext({ cwd, signal: AbortSignal.abort() });
      await serve(
        {
          ...context,
          emit: (event) => void events.push(event),
          serve: async () => ({ url: "http://x:1", port: 1, stop: async () => {} }),
        },
        { ...defaults, address: { hostname, port: 0 }, ...input },
      );
      expect(events.flatMap((event) => (event.kind === "warning" ? [event.code] : []))).toEqual([...codes]);
    });
  });

  test("tells each request as a debug event", async () => {
    await withFolder({}, async (cwd) => {
      await serving(cwd, {}, async (url, events) => {
        await fetch(`${url}/v2/none/tags/list?n=1`);
        const told = events.flatMap((event) => (event.kind === "debug" ? [event.message] : []));
        expect(told).toContain("GET /v2/none/tags/list?n=1 404");
      });
    });
  });

  test("speaks TLS with the given certificate", async () => {
    const authority = makeAuthority("Test authority");
    const { cert, key } = makeServerCertificate(authority, { ip: ["127.0.0.1"] });
    await withFolder({ "cert.pem": cert, "key.pem": key }, async (cwd) => {
      await serving(cwd, { tlsCert: "cert.pem", tlsKey: "key.pem" }, async (url) => {
        expect(url).toStartWith("https://");
        const status = await new Promise((resolve, reject) => {
          get(`${url}/v2/`, { ca: authority.cert, agent: false }, (response) => {
            response.resume();
            resolve(response.statusCode);
          }).on("error", reject);
        });
        expect(status).toBe(200);
      });
    });
  });

  test("tells as a warning what the server failed to send", async () => {
    await withFolder({}, async (cwd) => {
      const stop = new AbortController();
      const context = fixedContext({ cwd, signal: stop.signal });
      const request: ServerRequest = {
        method: "GET",
        target: "/v2/app/blobs/x?secret=1",
        headers: new Headers(),
        remoteAddress: "",
        body: () => new ReadableStream(),
        signal: stop.signal,
      };
      const listen: Serve = async ({ onFailure }) => {
        onFailure?.(new Error("the disk is gone"), request);
        stop.abort();
        return { url: "http://127.0.0.1:1", port: 1, stop: async () => {} };
      };
      await serve({ ...context, serve: listen }, defaults);
      const message = "GET /v2/app/blobs/x: the disk is gone";
      expect(context.events).toContainEqual({ kind: "warning", code: "request-failed", message });
    });
  });

  test.each([
    ["usage", { tlsCert: "cert.pem" }],
    ["usage", { tlsKey: "key.pem" }],
    ["usage", { root: "file" }],
    ["io-error", { root: "file/below" }],
    ["io-error", { root: "absent", readOnly: true }],
    ["io-error", { htpasswd: "absent" }],
    ["invalid-input", { htpasswd: "file" }],
  ] as const)("fails with %s for %p", async (code, input) => {
    await withFolder({ file: "not users" }, async (cwd) => {
      expect(await codeOf(serving(cwd, input, async () => {}))).toBe(code);
    });
  });

  test("fails with io-error where the port is taken", async () => {
    await withFolder({}, async (cwd) => {
      await serving(cwd, {}, async (url) => {
        const port = Number(new URL(url).port);
        const second = serving(cwd, { address: { hostname: "127.0.0.1", port } }, async () => {});
        expect(await codeOf(second)).toBe("io-error");
      });
    });
  });
});
