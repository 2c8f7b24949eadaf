import assert from "node:assert/strict";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { answerWith } from "../support/raw-server.ts";
import { type HttpCases, rejectsWith, send, steady } from "./http-bench.ts";

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString("latin1");

/** What comes back, as it was sent. */
export const responseCases: HttpCases = {
  "send() gives status, headers and body as sent": async ({ client, server }) => {
    const { url } = await server((socket) => answerWith(socket, "404 Not Found", ["X-One: 1"], "gone"));
    const response = await send(client(), `${url}/v2/`);
    assert.equal(response.status, 404);
    assert.equal(response.headers.get("x-one"), "1");
    assert.equal(response.body.size, 4);
    assert.equal(text(await response.body.bytes(100)), "gone");
  },
  "send() joins headers that come more than once": async ({ client, server }) => {
    const { url } = await server((socket) =>
      answerWith(
        socket,
        "401 Unauthorized",
        ['WWW-Authenticate: Basic realm="a"', 'WWW-Authenticate: Bearer realm="b"'],
        "",
      ),
    );
    const response = await send(client(), url);
    assert.equal(response.headers.get("www-authenticate"), 'Basic realm="a", Bearer realm="b"');
    await response.body.cancel();
  },
  "send() follows no redirect": async ({ client, server }) => {
    const there = await server((socket) => answerWith(socket, "307 Temporary Redirect", ["Location: /other"], "moved"));
    const response = await send(client(), there.url);
    assert.equal(response.status, 307);
    assert.equal(response.headers.get("location"), "/other");
    assert.equal(text(await response.body.bytes(100)), "moved");
    assert.equal(there.heads.length, 1);
  },
  "send() keeps an encoded body as it is and asks for none": async ({ client, server }) => {
    const packed = gzipSync("hello hello hello");
    const there = await server((socket) => answerWith(socket, "200 OK", ["Content-Encoding: gzip"], packed));
    const response = await send(client(), there.url);
    assert.equal(response.headers.get("content-encoding"), "gzip");
    assert.equal(response.body.size, packed.byteLength);
    assert.deepEqual(Buffer.from(await response.body.bytes(1000)), packed);
    assert.match(there.heads[0] ?? "", /^accept-encoding: identity$/im);
  },
  "send() tells the size of a HEAD response without waiting for a body": async ({ client, server }) => {
    const { url } = await server((socket) => socket.write("HTTP/1.1 200 OK\r\nContent-Length: 123456789012\r\n\r\n"));
    const response = await send(client(), url, { method: "HEAD" });
    assert.equal(response.body.size, 123456789012);
    assert.equal((await response.body.bytes(10)).byteLength, 0);
  },
  "bytes() gives a chunked body whole": async ({ client, server }) => {
    const { url } = await server((socket) =>
      socket.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"),
    );
    const response = await send(client(), url);
    assert.equal(response.body.size, undefined);
    assert.equal(text(await response.body.bytes(11)), "hello world");
  },
  "bytes() takes a body of exactly the limit": async ({ client, server }) => {
    const { url } = await server((socket) => answerWith(socket, "200 OK", [], "12345"));
    assert.equal(text(await (await send(client(), url)).body.bytes(5)), "12345");
  },
  "bytes() refuses a longer Content-Length before the body comes": async ({ client, server }) => {
    const { url } = await server((socket) => socket.write("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"));
    await rejectsWith((await send(client(), url)).body.bytes(5), "limit-exceeded");
  },
  "bytes() stops an endless chunked body at the limit": async ({ client, server }) => {
    const { url } = await server((socket) => {
      socket.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
      const piece = `10000\r\n${"x".repeat(0x10000)}\r\n`;
      const more = () => {
        while (!socket.destroyed && socket.write(piece));
      };
      socket.on("drain", more);
      more();
    });
    await rejectsWith((await send(client(), url)).body.bytes(1 << 20), "limit-exceeded");
  },
  "saveTo() appends after what the file holds": async ({ client, server, folder }) => {
    const body = Buffer.alloc(3_000_000, "abc");
    const { url } = await server((socket) => answerWith(socket, "206 Partial Content", [], body));
    const path = join(folder, "blob");
    writeFileSync(path, "12345");
    assert.equal(await (await send(client(), url)).body.saveTo(path, 5), 3_000_000);
    assert.equal(statSync(path).size, 3_000_005);
    assert.deepEqual(readFileSync(path), Buffer.concat([Buffer.from("12345"), body]));
  },
  "saveTo() writes a body once that has come before it is asked for": async ({ client, server, folder }) => {
    const body = Buffer.alloc(500_000, "abc");
    const { url } = await server((socket) => answerWith(socket, "200 OK", [], body));
    const http = client();
    const answers = await Promise.all(Array.from({ length: 20 }, () => send(http, url)));
    // By the time that further exchanges are over, the bodies of these have come
    for (let count = 0; count < 20; count++) await (await send(http, url)).body.bytes(body.byteLength);
    for (const [at, answer] of answers.entries()) {
      const path = join(folder, `blob-${at}`);
      assert.equal(await answer.body.saveTo(path, 0), body.byteLength);
      assert.ok(readFileSync(path).equals(body));
    }
  },
  "saveTo() makes the file where there is none, also for an empty body": async ({ client, server, folder }) => {
    const { url } = await server((socket) => answerWith(socket, "200 OK", [], ""));
    const path = join(folder, "blob");
    assert.equal(await (await send(client(), url)).body.saveTo(path, 0), 0);
    assert.equal(statSync(path).size, 0);
  },
  "saveTo() refuses a file of another size than said": async ({ client, server, folder }) => {
    const { url } = await server((socket) => answerWith(socket, "200 OK", [], "more"));
    const path = join(folder, "blob");
    writeFileSync(path, "12345");
    await rejectsWith((await send(client(), url)).body.saveTo(path, 4), "io-error");
    assert.equal(statSync(path).size, 5);
  },
  "stream() holds back a sender whose bytes nobody reads": async ({ client, server }) => {
    const total = 64 << 20;
    let sent = 0;
    const { url } = await server((socket) => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${total}\r\n\r\n`);
      const piece = Buffer.alloc(1 << 18);
      const more = () => {
        while (sent < total) {
          sent += piece.byteLength;
          if (!socket.write(piece)) return;
        }
      };
      socket.on("drain", more);
      more();
    });
    const reader = (await send(client(), url)).body.stream().getReader();
    await reader.read();
    await steady(() => sent);
    assert.ok(sent < total / 2, `${sent} bytes were taken`);
    await reader.cancel();
  },
  "one connection serves requests one after another, also where a short body is not read": async ({
    client,
    server,
  }) => {
    const there = await server((socket) => answerWith(socket, "200 OK", [], "hello"));
    const http = client();
    for (let count = 0; count < 20; count++) {
      const { body } = await send(http, there.url);
      if (count % 2 === 0) await body.bytes(10);
      else await body.cancel();
      // A connection is free again one turn after its end
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    assert.ok(there.connections <= 3, `${there.connections} connections for 20 requests`);
  },
  "64 exchanges run at a time": async ({ client, server }) => {
    let arrived = 0;
    const open: (() => void)[] = [];
    const { url } = await server((socket) => {
      open.push(() => answerWith(socket, "200 OK", [], "x"));
      if (++arrived === 64) for (const answer of open) answer();
    });
    const http = client();
    const answers = await Promise.all(Array.from({ length: 64 }, () => send(http, url)));
    const bodies = await Promise.all(answers.map(({ body }) => body.bytes(1)));
    assert.equal(bodies.length, 64);
  },
};
