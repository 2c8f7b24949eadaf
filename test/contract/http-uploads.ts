import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import type { Socket } from "node:net";
import { join } from "node:path";
import { LibraryError } from "../../src/core/error.ts";
import { answerWith } from "../support/raw-server.ts";
import { contentOf, type HttpBench, type HttpCases, rejectsWith, send, steady } from "./http-bench.ts";

const seeded = Buffer.alloc(3_000_000);
for (let at = 0, state = 7; at < seeded.byteLength; at++) {
  state = (state * 1103515245 + 12345) & 0x7fffffff;
  seeded[at] = state >> 16;
}

/** What goes out, and what happens when it cannot. */
export const uploadCases: HttpCases = {
  "send() says Content-Length: 0 for a POST without a body": async ({ client, server }) => {
    const there = await server((socket) => answerWith(socket, "202 Accepted", [], ""));
    await (await send(client(), there.url, { method: "POST" })).body.cancel();
    assert.match(there.heads[0] ?? "", /^content-length: 0$/im);
  },
  "send() sends bytes with their Content-Length": async (bench) => {
    const { url, body, head } = await receiver(bench, 5);
    await (await send(bench.client(), url, { method: "PUT", body: Buffer.from("hello") })).body.cancel();
    assert.equal((await body).toString(), "hello");
    assert.match(head(), /^content-length: 5$/im);
  },
  "send() sends an empty file": async (bench) => {
    const path = file(bench, Buffer.alloc(0));
    const there = await bench.server((socket) => answerWith(socket, "201 Created", [], ""));
    const content = { ...contentOf(() => [], 0), file: path };
    const response = await send(bench.client(), there.url, { method: "PUT", body: { content } });
    assert.equal(response.status, 201);
    assert.match(there.heads[0] ?? "", /^content-length: 0$/im);
  },
  "send() sends a file whole": async (bench) => {
    await sendsFile(bench, 0, undefined, seeded);
  },
  "send() sends a file from an offset on": async (bench) => {
    await sendsFile(bench, 1_000_001, undefined, seeded.subarray(1_000_001));
  },
  "send() sends a part of a file": async (bench) => {
    await sendsFile(bench, 1_000, 2_000_000, seeded.subarray(1_000, 2_001_000));
    await sendsFile(bench, 1_000, 10, seeded.subarray(1_000, 1_010));
  },
  "send() refuses a file that is shorter than its content": async (bench) => {
    const path = file(bench, seeded);
    const { url } = await bench.server((socket) => answerWith(socket, "201 Created", [], ""));
    const content = { ...contentOf(() => [], 3_000_001), file: path };
    await rejectsWith(send(bench.client(), url, { method: "PUT", body: { content } }), "size-mismatch");
  },
  "send() sends a stream of known size with Content-Length": async (bench) => {
    const { url, body, head } = await receiver(bench, seeded.byteLength);
    const content = contentOf(() => pieces(seeded), seeded.byteLength);
    await (await send(bench.client(), url, { method: "PUT", body: { content } })).body.cancel();
    assert.equal(digest(await body), digest(seeded));
    assert.match(head(), /^content-length: 3000000$/im);
    assert.doesNotMatch(head(), /^transfer-encoding/im);
  },
  "send() cuts a stream at the length asked for": async (bench) => {
    const { url, body } = await receiver(bench, 1_000_000);
    const content = contentOf(() => pieces(seeded), seeded.byteLength);
    await (await send(bench.client(), url, { method: "PATCH", body: { content, length: 1_000_000 } })).body.cancel();
    assert.equal(digest(await body), digest(seeded.subarray(0, 1_000_000)));
  },
  "send() sends a stream of unknown size chunked": async ({ client, server }) => {
    const got = Promise.withResolvers<string>();
    const there = await server((socket, _head, start) => {
      let text = start.toString();
      const look = () => {
        if (!text.endsWith("0\r\n\r\n")) return;
        got.resolve(text.replace(/[0-9a-f]+\r\n/gi, "").replaceAll("\r\n", ""));
        answerWith(socket, "201 Created", [], "");
      };
      socket.on("data", (chunk: Buffer) => {
        text += chunk.toString();
        look();
      });
      look();
    });
    const content = contentOf(() => [Buffer.from("xyz"), Buffer.from("uvw")], -1);
    await (await send(client(), there.url, { method: "PUT", body: { content } })).body.cancel();
    assert.equal(await got.promise, "xyzuvw");
    assert.match(there.heads[0] ?? "", /^transfer-encoding: chunked$/im);
  },
  "send() fails with size-mismatch where a stream ends early": async (bench) => {
    const { url } = await receiver(bench, 10);
    const content = contentOf(() => [Buffer.from("hello")], 10);
    await rejectsWith(send(bench.client(), url, { method: "PUT", body: { content } }), "size-mismatch");
  },
  "send() fails with size-mismatch where a stream goes on": async (bench) => {
    const { url } = await receiver(bench, 10);
    const content = contentOf(() => [Buffer.from("hello"), Buffer.from("world!")], 10);
    await rejectsWith(send(bench.client(), url, { method: "PUT", body: { content } }), "size-mismatch");
  },
  "send() fails with the error of the stream that it sends": async (bench) => {
    const { url } = await receiver(bench, 10);
    const broken = new LibraryError("digest-mismatch", "the source is wrong");
    const content = contentOf(function* () {
      yield Buffer.from("hello");
      throw broken;
    }, 10);
    const outcome = await send(bench.client(), url, { method: "PUT", body: { content } }).catch((error) => error);
    assert.equal(outcome, broken);
  },
  "send() delivers an answer that comes before the body is sent": async (bench) => {
    const { url } = await bench.server((socket) => {
      socket.pause();
      answerWith(socket, "413 Content Too Large", ["Connection: close"], "too big");
    });
    const large = contentOf(() => endless(), 1 << 30);
    const path = file(bench, Buffer.alloc(64 << 20));
    for (const content of [large, { ...large, size: 64 << 20, file: path }]) {
      const response = await send(bench.client(), url, { method: "PUT", body: { content } });
      assert.equal(response.status, 413);
      assert.equal(Buffer.from(await response.body.bytes(100)).toString(), "too big");
    }
  },
  "send() holds back a stream that the server does not take": async ({ client, server }) => {
    const came = Promise.withResolvers<Socket>();
    const { url } = await server((socket) => {
      socket.pause();
      came.resolve(socket);
    });
    let made = 0;
    const content = contentOf(function* () {
      for (const piece of endless()) {
        made += piece.byteLength;
        yield piece;
      }
    }, 1 << 30);
    const stop = new AbortController();
    const sent = send(client(), url, { method: "PUT", body: { content }, signal: stop.signal });
    await came.promise;
    await steady(() => made);
    assert.ok(made < 64 << 20, `${made} bytes were taken`);
    stop.abort(new Error("enough"));
    await assert.rejects(sent, /enough/);
  },
};

async function sendsFile(
  bench: HttpBench,
  offset: number,
  length: number | undefined,
  expected: Buffer,
): Promise<void> {
  const { url, body, head } = await receiver(bench, expected.byteLength);
  const never = { size: seeded.byteLength, stream: () => Promise.reject(new Error("the file is there")) };
  const content = { ...never, file: file(bench, seeded) };
  const part = length === undefined ? { content, offset } : { content, offset, length };
  const response = await send(bench.client(), url, { method: "PUT", body: part });
  assert.equal(response.status, 201);
  await response.body.cancel();
  assert.equal(digest(await body), digest(expected));
  assert.match(head(), new RegExp(`^content-length: ${expected.byteLength}$`, "im"));
}

/** A server that takes one body of `size` bytes and answers 201. */
async function receiver(bench: HttpBench, size: number) {
  const got = Promise.withResolvers<Buffer>();
  const there = await bench.server((socket, _head, start) => {
    const chunks = [start];
    let received = start.byteLength;
    const look = () => {
      if (received < size) return;
      got.resolve(Buffer.concat(chunks));
      answerWith(socket, "201 Created", [], "");
    };
    socket.on("data", (chunk: Buffer) => {
      chunks.push(chunk);
      received += chunk.byteLength;
      look();
    });
    look();
  });
  return { url: there.url, body: got.promise, head: () => there.heads[0] ?? "" };
}

function file(bench: HttpBench, bytes: Buffer): string {
  const path = join(bench.folder, "upload");
  writeFileSync(path, bytes);
  return path;
}

function* pieces(bytes: Buffer): Generator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += 65_537) yield bytes.subarray(at, at + 65_537);
}

function* endless(): Generator<Uint8Array> {
  for (const piece = Buffer.alloc(1 << 18); ; ) yield piece;
}

function digest(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
