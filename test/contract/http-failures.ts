import assert from "node:assert/strict";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { contentOf, type HttpBench, type HttpCases, rejectsWith, send } from "./http-bench.ts";

/** The first bytes of a body, each at its place. */
const sent = Buffer.from(Uint32Array.from({ length: 500_000 }, (_, at) => at).buffer);

/** Broken, silent and aborted exchanges. */
export const failureCases: HttpCases = {
  "send() fails with network-error and host:port where nobody listens": async ({ client, server }) => {
    const gone = await server(() => {});
    await gone.stop();
    const error = await rejectsWith(send(client(), gone.url), "network-error");
    assert.ok(error.message.includes(new URL(gone.url).host), error.message);
    assert.match(error.hint ?? "", /^Check host and port/);
  },
  "send() fails with network-error where the name is unknown, and tells nothing of path and query": async ({
    client,
  }) => {
    const error = await rejectsWith(send(client(), "http://registry.invalid/v2/?secret=1"), "network-error");
    assert.ok(error.message.includes("registry.invalid:80"), error.message);
    // Where there is no name server, that is what is told
    assert.match(error.hint ?? "", /^Check the (?:host name|name server)|^Check host and port/);
    assert.ok(!error.message.includes("secret"), error.message);
  },
  "send() fails with network-error where the connection ends without an answer": async ({ client, server }) => {
    const { url } = await server((socket) => socket.destroy());
    await rejectsWith(send(client(), url, { method: "POST" }), "network-error");
  },
  "send() fails with network-error where the answer is not HTTP": async ({ client, server }) => {
    const { url } = await server((socket) => socket.end("220 mail.example.org ESMTP\r\n\r\n"));
    await rejectsWith(send(client(), url), "network-error");
  },
  "bytes() fails with network-error where the body is short": async (bench) => {
    await rejectsWith((await shortResponse(bench)).body.bytes(10_000_000), "network-error");
  },
  "stream() fails with network-error where the body is short": async (bench) => {
    await rejectsWith(count((await shortResponse(bench)).body.stream()), "network-error");
  },
  "saveTo() fails with network-error where the body is short, and keeps what was written": async (bench) => {
    const path = join(bench.folder, "blob");
    await rejectsWith((await shortResponse(bench)).body.saveTo(path, 0), "network-error");
    const saved = readFileSync(path);
    assert.ok(saved.equals(sent.subarray(0, saved.byteLength)), `${saved.byteLength} bytes`);
  },
  "bytes() fails with network-error where a chunked body breaks off": async ({ client, server }) => {
    const { url } = await server((socket) =>
      socket.end("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"),
    );
    await rejectsWith((await send(client(), url)).body.bytes(100), "network-error");
  },
  "send() fails with network-error where no answer comes within the idle time": async ({ client, server }) => {
    const { url } = await server(() => {});
    await rejectsWith(send(client(), url, { idleTimeoutMs: 100 }), "network-error");
  },
  "send() fails with network-error where the server stops taking the body": async ({ client, server }) => {
    const { url } = await server((socket) => socket.pause());
    const piece = Buffer.alloc(1 << 18);
    const content = contentOf(function* () {
      for (;;) yield piece;
    }, 1 << 30);
    await rejectsWith(send(client(), url, { method: "PUT", body: { content }, idleTimeoutMs: 100 }), "network-error");
  },
  "send() does not count the time in which its source is slow": async ({ client, server }) => {
    const { url } = await server((socket, _head, start) => {
      let received = start.byteLength;
      const look = () => received === 10 && socket.write("HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");
      socket.on("data", (chunk: Buffer) => {
        received += chunk.byteLength;
        look();
      });
      look();
    });
    const content = contentOf(async function* () {
      yield Buffer.from("hello");
      await new Promise((resolve) => setTimeout(resolve, 400));
      yield Buffer.from("world");
    }, 10);
    const request = { method: "PUT", body: { content }, idleTimeoutMs: 200 };
    assert.equal((await send(client(), url, request)).status, 201);
  },
  "bytes() fails with network-error where the body stalls": async (bench) => {
    const { body } = await stalledResponse(bench, new AbortController().signal, 100);
    await rejectsWith(body.bytes(10_000_000), "network-error");
  },
  "stream() fails with network-error where the body stalls": async (bench) => {
    const { body } = await stalledResponse(bench, new AbortController().signal, 100);
    await rejectsWith(count(body.stream()), "network-error");
  },
  "saveTo() fails with network-error where the body stalls, and keeps what came": async (bench) => {
    const { body } = await stalledResponse(bench, new AbortController().signal, 100);
    const path = join(bench.folder, "blob");
    await rejectsWith(body.saveTo(path, 0), "network-error");
    assert.equal(statSync(path).size, 1_000_000);
  },
  "send() rejects with the reason of a signal that was aborted before": async ({ client, server }) => {
    const there = await server(() => {});
    const reason = new Error("mine");
    assert.equal(await failureOf(send(client(), there.url, { signal: AbortSignal.abort(reason) })), reason);
    assert.equal(there.heads.length, 0);
  },
  "send() rejects with the signal's reason while it waits": async ({ client, server }) => {
    const reason = new Error("mine");
    const stop = new AbortController();
    const { url } = await server(() => stop.abort(reason));
    assert.equal(await failureOf(send(client(), url, { signal: stop.signal })), reason);
  },
  "bytes(), stream() and saveTo() reject with the signal's reason": async (bench) => {
    const reason = new Error("mine");
    for (const how of ["bytes", "stream", "saveTo"] as const) {
      const stop = new AbortController();
      const { body } = await stalledResponse(bench, stop.signal, 60_000);
      const path = join(bench.folder, how);
      const reading =
        how === "bytes" ? body.bytes(10_000_000) : how === "stream" ? count(body.stream()) : body.saveTo(path, 0);
      setTimeout(() => stop.abort(reason), 20);
      assert.equal(await failureOf(reading), reason, how);
    }
  },
  "a cancelled body ends its connection where much is left": async ({ client, server }) => {
    const closed = Promise.withResolvers<void>();
    const { url } = await server((socket) => {
      socket.on("close", () => closed.resolve());
      socket.write("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\nx");
    });
    await (await send(client(), url)).body.cancel();
    await closed.promise;
  },
  "a cancelled stream ends its connection": async ({ client, server }) => {
    const closed = Promise.withResolvers<void>();
    const { url } = await server((socket) => {
      socket.on("close", () => closed.resolve());
      socket.write("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\nx");
    });
    const reader = (await send(client(), url)).body.stream().getReader();
    await reader.read();
    await reader.cancel();
    await closed.promise;
  },
};

async function shortResponse({ client, server }: HttpBench) {
  const { url } = await server((socket) =>
    socket.end(Buffer.concat([Buffer.from("HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n"), sent])),
  );
  return send(client(), url);
}

async function stalledResponse({ client, server }: HttpBench, signal: AbortSignal, idleTimeoutMs: number) {
  const { url } = await server((socket) =>
    socket.write(
      Buffer.concat([Buffer.from("HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n"), Buffer.alloc(1_000_000)]),
    ),
  );
  return send(client(), url, { signal, idleTimeoutMs });
}

async function count(stream: ReadableStream<Uint8Array>): Promise<number> {
  let size = 0;
  for await (const chunk of stream) size += chunk.byteLength;
  return size;
}

async function failureOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => "no failure",
    (error: unknown) => error,
  );
}
