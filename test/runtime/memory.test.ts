import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { RunningServer } from "../../src/core/ports.ts";
import { serve } from "../../src/runtime/serve.ts";
import { contentOf } from "../contract/http-bench.ts";

const size = 256 << 20;
const script = new URL("transfer-once.ts", import.meta.url).pathname;
let folder: string;
let server: RunningServer;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "library-memory-"));
  const piece = Buffer.alloc(1 << 20, 1);
  const content = contentOf(function* () {
    for (let at = 0; at < size; at += piece.byteLength) yield piece;
  }, size);
  server = await serve({
    hostname: "127.0.0.1",
    port: 0,
    handler: async (request) => {
      if (request.method === "GET") return { status: 200, headers: {}, body: { content, offset: 0, length: size } };
      let received = 0;
      for await (const chunk of request.body()) received += chunk.byteLength;
      return { status: 201, headers: {}, body: Buffer.from(String(received)) };
    },
  });
});
afterAll(async () => {
  await server.stop(0);
  rmSync(folder, { recursive: true });
});

describe.each(["node", "default"])("256 MiB by the %s client", (kind) => {
  test.each(["save", "stream", "file", "send"])("%s: neither side holds more than a part in memory", async (what) => {
    const before = process.memoryUsage().rss;
    const target = join(folder, kind + what);
    mkdirSync(target);
    const { stdout } = await promisify(execFile)(process.execPath, [script, kind, what, server.url, target]);
    const [moved, peak] = stdout.split(" ").map(Number);
    expect(moved).toBe(size);
    // The runtime itself takes some 60 MiB
    expect(peak).toBeLessThan(192);
    expect((process.memoryUsage().rss - before) >> 20).toBeLessThan(128);
    rmSync(target, { recursive: true });
  });
});
