import assert from "node:assert/strict";
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { connect as connectTcp, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Content } from "../../src/core/content.ts";
import { isLibraryError } from "../../src/core/error.ts";
import type { RunningServer, ServeOptions, ServerRequest } from "../../src/core/ports.ts";
import { makeNodeHttp } from "../../src/runtime/http-node.ts";
import { serve } from "../../src/runtime/serve.ts";
import { makeAuthority, makeServerCertificate } from "../support/certificate.ts";
import { contentOf, rejectsWith, send, steady } from "./http-bench.ts";

/** By name: what the Serve port must do; runs under any runner and runtime. */
export const serveCases: Readonly<Record<string, () => Promise<void>>> = {
  "serve() hands over method, target as sent, headers and body": async () => {
    const seen: Record<string, unknown> = {};
    await serving(
      async (request) => {
        seen.request = [request.method, request.target, request.headers.get("x-one"), request.remoteAddress];
        seen.body = await textOf(request);
        return { status: 200, headers: {} };
      },
      async ({ port }) => {
        const head = "PUT /v2/a%2Fb/%7Bx%7D?q=a%20b&n=1 HTTP/1.1\r\nHost: x\r\nX-One: 1\r\nConnection: close\r\n";
        await talk(port, `${head}Content-Length: 5\r\n\r\nhello`);
      },
    );
    assert.deepEqual(seen, { request: ["PUT", "/v2/a%2Fb/%7Bx%7D?q=a%20b&n=1", "1", "127.0.0.1"], body: "hello" });
  },
  "serve() reads a chunked body": async () => {
    await serving(echo, async ({ port }) => {
      const answer = await talk(
        port,
        "PUT / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
      );
      assert.match(answer, /\r\n\r\nhello$/);
    });
  },
  "serve() lets a client go on that expects 100 Continue": async () => {
    await serving(echo, async ({ port }) => {
      const socket = connect(port);
      const all = collect(socket);
      const continued = Promise.withResolvers<void>();
      let text = "";
      socket.on("data", (chunk: Buffer) => {
        text += chunk.toString("latin1");
        if (text.startsWith("HTTP/1.1 100 ")) continued.resolve();
      });
      socket.write(
        "PUT / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n",
      );
      await continued.promise;
      socket.write("hello");
      assert.match(await all, /200 OK[\s\S]*hello$/);
    });
  },
  "serve() sends bytes, headers and header lists": async () => {
    await serving(
      async () => ({
        status: 401,
        headers: { "X-One": "1", "WWW-Authenticate": ["Basic", "Bearer"] },
        body: Buffer.from("no"),
      }),
      async ({ port }) => {
        const answer = await talk(port, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        assert.match(answer, /^HTTP\/1.1 401 /);
        assert.match(answer, /^x-one: 1\r$/im);
        assert.match(answer, /^www-authenticate: Basic\r\nwww-authenticate: Bearer\r$/im);
        assert.match(answer, /^content-length: 2\r$/im);
        assert.match(answer, /\r\n\r\nno$/);
      },
    );
  },
  "serve() answers HEAD with the Content-Length of the headers and no body": async () => {
    await serving(
      async () => ({ status: 200, headers: { "Content-Length": "123456789012" } }),
      async ({ port }) => {
        const answer = await talk(port, "HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        assert.match(answer, /^content-length: 123456789012\r$/im);
        assert.doesNotMatch(answer, /^transfer-encoding/im);
        assert.ok(answer.endsWith("\r\n\r\n"), answer);
      },
    );
  },
  "serve() answers without a body: 202 says length 0, 204 says none": async () => {
    for (const [status, expected] of [
      [202, true],
      [204, false],
    ] as const) {
      await serving(
        async () => ({ status, headers: {} }),
        async ({ port }) => {
          const answer = await talk(port, "DELETE / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
          assert.equal(/^content-length: 0\r$/im.test(answer), expected, answer);
          assert.doesNotMatch(answer, /^transfer-encoding/im);
        },
      );
    }
  },
  "serve() sends a part of a file with its Content-Length": async () => {
    const folder = mkdtempSync(join(tmpdir(), "library-serve-"));
    try {
      const file = join(folder, "file");
      const bytes = Buffer.alloc(3_000_000, "0123456789");
      writeFileSync(file, bytes);
      const content = { size: bytes.byteLength, file, stream: () => Promise.reject(new Error("the file is there")) };
      for (const [offset, length] of [
        [0, 3_000_000],
        [1_234, 2_000_000],
        [2_999_999, 1],
        [5, 0],
      ] as const) {
        await serving(
          async () => ({ status: 206, headers: {}, body: { content, offset, length } }),
          async ({ url }) => {
            const { body } = await get(url);
            assert.equal(body.size, length);
            assert.deepEqual(Buffer.from(await body.bytes(3_000_000)), bytes.subarray(offset, offset + length));
          },
        );
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
  "serve() sends a stream with its Content-Length, and no more than that": async () => {
    const content = contentOf(() => [Buffer.from("hello"), Buffer.from("world")], 10);
    await serving(
      async () => ({ status: 200, headers: {}, body: { content, offset: 0, length: 7 } }),
      async ({ url }) => {
        const { body } = await get(url);
        assert.equal(body.size, 7);
        assert.equal(Buffer.from(await body.bytes(100)).toString(), "hellowo");
      },
    );
  },
  "serve() breaks the connection where a stream ends early or fails": async () => {
    const short = () => [Buffer.from("hello")];
    const failing = function* () {
      yield Buffer.from("hello");
      throw new Error("the disk is gone");
    };
    for (const chunks of [short, failing]) {
      await serving(
        async () => ({ status: 200, headers: {}, body: { content: contentOf(chunks, 10), offset: 0, length: 10 } }),
        async ({ url }) => {
          await rejectsWith(
            get(url).then(({ body }) => body.bytes(100)),
            "network-error",
          );
        },
      );
    }
  },
  "serve() reports what it could not send, and ends the connection": async () => {
    const folder = mkdtempSync(join(tmpdir(), "library-serve-"));
    try {
      const path = join(folder, "short");
      writeFileSync(path, "hello");
      const bodies: [string, Content][] = [
        ["EISDIR", { ...contentOf(() => [], 10), file: folder }],
        ["size-mismatch", { ...contentOf(() => [], 10), file: path }],
        ["size-mismatch", contentOf(() => [Buffer.from("hello")], 10)],
      ];
      for (const [code, content] of bodies) {
        const failures: unknown[] = [];
        await serving(
          async () => ({ status: 200, headers: {}, body: { content, offset: 0, length: 10 } }),
          async ({ url }) => {
            await rejectsWith(
              get(`${url}/blob`).then(({ body }) => body.bytes(100)),
              "network-error",
            );
          },
          (error, { target }) => failures.push([error instanceof Error && "code" in error && error.code, target]),
        );
        assert.deepEqual(failures, [[code, "/blob"]]);
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
  "serve() answers 500 for a file that cannot be opened, and reports it": async () => {
    const failures: unknown[] = [];
    const content = { ...contentOf(() => [], 10), file: join(tmpdir(), "library-serve-absent", "file") };
    await serving(
      async () => ({ status: 200, headers: {}, body: { content, offset: 0, length: 10 } }),
      async ({ url }) => assert.equal((await get(url)).status, 500),
      (error) => failures.push(error instanceof Error && "code" in error && error.code),
    );
    assert.deepEqual(failures, ["ENOENT"]);
  },
  "serve() reports no client that goes away during an answer": async () => {
    const folder = mkdtempSync(join(tmpdir(), "library-serve-"));
    try {
      const path = join(folder, "large");
      const length = 256 << 20;
      writeFileSync(path, "");
      truncateSync(path, length);
      const endless = function* () {
        for (;;) yield new Uint8Array(1 << 20);
      };
      for (const content of [{ ...contentOf(() => [], length), file: path }, contentOf(endless, length)]) {
        const failures: unknown[] = [];
        const gone = Promise.withResolvers<void>();
        await serving(
          async ({ target, signal }) => {
            if (target === "/small") return { status: 200, headers: {} };
            signal.addEventListener("abort", () => gone.resolve());
            return { status: 200, headers: {}, body: { content, offset: 0, length } };
          },
          async ({ port, url }) => {
            const socket = connect(port);
            socket.once("data", () => socket.destroy());
            socket.write("GET /large HTTP/1.1\r\nHost: x\r\n\r\n");
            await gone.promise;
            await (await get(`${url}/small`)).body.bytes(100);
          },
          (error) => failures.push(error),
        );
        assert.deepEqual(failures, []);
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
  "serve() reports a handler that throws, unless its client went away": async () => {
    const failures: unknown[] = [];
    const came = Promise.withResolvers<void>();
    const gone = Promise.withResolvers<void>();
    await serving(
      async ({ target, signal }) => {
        if (target === "/waits") {
          signal.addEventListener("abort", () => gone.resolve());
          came.resolve();
          await gone.promise;
        }
        throw new Error(target);
      },
      async ({ port, url }) => {
        const socket = connect(port);
        socket.write("GET /waits HTTP/1.1\r\nHost: x\r\n\r\n");
        await came.promise;
        socket.destroy();
        await gone.promise;
        await (await get(`${url}/fails`)).body.bytes(100);
      },
      (error, { method }) => failures.push([method, error instanceof Error && error.message]),
    );
    assert.deepEqual(failures, [["GET", "/fails"]]);
  },
  "serve() answers 500 where the handler throws, and tells nothing": async () => {
    await serving(
      () => Promise.reject(new Error("secret path")),
      async ({ url }) => {
        const response = await get(url);
        assert.equal(response.status, 500);
        assert.equal((await response.body.bytes(100)).byteLength, 0);
      },
    );
  },
  "serve() delivers an answer to a body that nobody reads": async () => {
    const content = contentOf(function* () {
      for (let count = 0; count < 128; count++) yield Buffer.alloc(1 << 18);
    }, 32 << 20);
    await serving(
      async () => ({ status: 413, headers: {}, body: Buffer.from("too big") }),
      async ({ url }) => {
        const http = client();
        for (let count = 0; count < 3; count++) {
          const response = await send(http, url, { method: "PUT", body: { content } });
          assert.equal(response.status, 413);
          assert.equal(Buffer.from(await response.body.bytes(100)).toString(), "too big");
        }
        await http.close();
      },
    );
  },
  "serve() holds back a client whose body nobody reads yet": async () => {
    const go = Promise.withResolvers<void>();
    const came = Promise.withResolvers<void>();
    await serving(
      async (request) => {
        came.resolve();
        await go.promise;
        return { status: 200, headers: {}, body: Buffer.from(String((await bytesOf(request)).byteLength)) };
      },
      async ({ url }) => {
        let made = 0;
        const total = 64 << 20;
        const content = contentOf(function* () {
          for (; made < total; made += 1 << 18) yield Buffer.alloc(1 << 18);
        }, total);
        const sent = send(client(), url, { method: "PUT", body: { content } });
        await came.promise;
        await steady(() => made);
        assert.ok(made < total / 2, `${made} bytes were taken`);
        go.resolve();
        assert.equal(Buffer.from(await (await sent).body.bytes(100)).toString(), String(total));
      },
    );
  },
  "serve() asks a stream for no more than a slow client takes": async () => {
    let made = 0;
    const total = 64 << 20;
    const content = contentOf(function* () {
      for (; made < total; made += 1 << 18) yield Buffer.alloc(1 << 18);
    }, total);
    await serving(
      async () => ({ status: 200, headers: {}, body: { content, offset: 0, length: total } }),
      async ({ port }) => {
        const socket = connect(port);
        socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        await new Promise((resolve) => socket.once("data", resolve));
        socket.pause();
        await steady(() => made);
        assert.ok(made < total / 2, `${made} bytes were taken`);
        socket.destroy();
      },
    );
  },
  "serve() fires the signal where the client goes away during an answer": async () => {
    const fired = Promise.withResolvers<void>();
    const came = Promise.withResolvers<void>();
    await serving(
      async (request) => {
        request.signal.addEventListener("abort", () => fired.resolve());
        came.resolve();
        await fired.promise;
        return { status: 200, headers: {} };
      },
      async ({ port }) => {
        const socket = connect(port);
        socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        await came.promise;
        socket.destroy();
        await fired.promise;
      },
    );
  },
  "serve() fails the body with network-error where the client goes away in it": async () => {
    const failed = Promise.withResolvers<unknown>();
    const began = Promise.withResolvers<void>();
    await serving(
      async (request) => {
        const reader = request.body().getReader();
        await reader.read();
        began.resolve();
        try {
          for (;;) if ((await reader.read()).done) break;
          failed.resolve("the body ended");
        } catch (error) {
          failed.resolve(error);
        }
        return { status: 200, headers: {} };
      },
      async ({ port }) => {
        const socket = connect(port);
        socket.write("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhello");
        await began.promise;
        socket.destroy();
        const error = await failed.promise;
        assert.ok(isLibraryError(error, "network-error"), String(error));
      },
    );
  },
  "serve() serves requests on one connection one after another": async () => {
    await serving(echo, async ({ port }) => {
      const one = "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n";
      const answer = await talk(port, `${one}a${one}b${one.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n")}c`);
      assert.deepEqual(
        answer
          .match(/\r\n\r\n[abc]/g)
          ?.join("")
          .replaceAll("\r\n", ""),
        "abc",
      );
    });
  },
  "serve() fails with io-error where the port is taken": async () => {
    await serving(echo, async ({ port }) => {
      await rejectsWith(serve({ hostname: "127.0.0.1", port, handler: echo }), "io-error");
    });
  },
  "serve() speaks TLS": async () => {
    const authority = makeAuthority("test authority");
    const tls = makeServerCertificate(authority, { ip: ["127.0.0.1"] });
    const server = await serve({ hostname: "127.0.0.1", port: 0, tls, handler: echo });
    try {
      assert.ok(server.url.startsWith("https://127.0.0.1:"));
      const http = client([new URL(server.url).host]);
      const response = await send(http, server.url, { method: "PUT", body: Buffer.from("secure") });
      assert.equal(Buffer.from(await response.body.bytes(10)).toString(), "secure");
      await http.close();
    } finally {
      await server.stop(0);
    }
  },
  "stop() lets a busy answer end and takes no new connection": async () => {
    const go = Promise.withResolvers<void>();
    const came = Promise.withResolvers<void>();
    const server = await serve({
      hostname: "127.0.0.1",
      port: 0,
      handler: async () => {
        came.resolve();
        await go.promise;
        return { status: 200, headers: {}, body: Buffer.from("done") };
      },
    });
    const http = client();
    const answer = send(http, server.url);
    await came.promise;
    const stopped = server.stop(10_000);
    await rejectsWith(send(client(), server.url), "network-error");
    go.resolve();
    assert.equal(Buffer.from(await (await answer).body.bytes(10)).toString(), "done");
    await stopped;
    await http.close();
  },
  "stop() ends connections that are idle, and busy ones after their time": async () => {
    const came = Promise.withResolvers<void>();
    const server = await serve({
      hostname: "127.0.0.1",
      port: 0,
      handler: (request) => {
        if (request.target === "/quick") return Promise.resolve({ status: 200, headers: {} });
        came.resolve();
        return new Promise(() => {});
      },
    });
    const idle = connect(server.port);
    idle.write("GET /quick HTTP/1.1\r\nHost: x\r\n\r\n");
    await new Promise((resolve) => idle.once("data", resolve));
    const busy = connect(server.port);
    busy.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    await came.promise;
    const ends = [idle, busy].map((socket) => new Promise((resolve) => socket.once("close", resolve)));
    await server.stop(20);
    await Promise.all(ends);
  },
};

const echo: ServeOptions["handler"] = async (request) => ({ status: 200, headers: {}, body: await bytesOf(request) });

async function serving(
  handler: ServeOptions["handler"],
  body: (server: RunningServer) => Promise<void>,
  onFailure?: ServeOptions["onFailure"],
): Promise<void> {
  const server = await serve({ hostname: "127.0.0.1", port: 0, handler, ...(onFailure ? { onFailure } : {}) });
  try {
    await body(server);
  } finally {
    await server.stop(0);
  }
}

function client(insecureRegistries: readonly string[] = []) {
  return makeNodeHttp({ network: { insecureRegistries, caFiles: [] }, env: {} });
}

function get(url: string) {
  return send(client(), url);
}

async function bytesOf(request: ServerRequest): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of request.body()) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function textOf(request: ServerRequest): Promise<string> {
  return Buffer.from(await bytesOf(request)).toString();
}

function connect(port: number): Socket {
  const socket = connectTcp(port, "127.0.0.1");
  socket.on("error", () => {});
  return socket;
}

/** Sends `request` and gives all that comes until the server ends the connection. */
function talk(port: number, request: string): Promise<string> {
  const socket = connect(port);
  socket.write(request);
  return collect(socket);
}

function collect(socket: Socket): Promise<string> {
  let text = "";
  socket.on("data", (chunk: Buffer) => {
    text += chunk.toString("latin1");
  });
  return new Promise((resolve) => socket.once("close", () => resolve(text)));
}
