import { closeSync, openSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";
import { makeHttp } from "../../src/runtime/http.ts";
import { makeNodeHttp } from "../../src/runtime/http-node.ts";
import { contentOf, send } from "../contract/http-bench.ts";
import { peakMemory } from "../support/peak-memory.ts";

// A process for the test of memory: `transfer-once.ts CLIENT WHAT URL FOLDER` moves 256 MiB in one way and prints the
// bytes and its peak memory in MiB.

const size = 256 << 20;
const [kind, what, url = "", folder = ""] = process.argv.slice(2);
const http = (kind === "node" ? makeNodeHttp : makeHttp)({
  network: { insecureRegistries: [], caFiles: [] },
  env: {},
});
const piece = Buffer.alloc(1 << 20, 1);
let moved = 0;
if (what === "save") {
  moved = await (await send(http, url)).body.saveTo(join(folder, "saved"), 0);
} else if (what === "stream") {
  for await (const chunk of (await send(http, url)).body.stream()) moved += chunk.byteLength;
} else {
  const content = contentOf(function* () {
    for (let at = 0; at < size; at += piece.byteLength) yield piece;
  }, size);
  const path = join(folder, "sent");
  if (what === "file") {
    const file = openSync(path, "w");
    for (let at = 0; at < size; at += piece.byteLength) writeSync(file, piece);
    closeSync(file);
    if (statSync(path).size !== size) throw new Error("the file is short");
  }
  const body = what === "file" ? { content: { ...content, file: path } } : { content };
  const answer = await (await send(http, url, { method: "PUT", body })).body.bytes(100);
  moved = Number(Buffer.from(answer).toString());
}
console.log(`${moved} ${Math.round(peakMemory() / 1024 ** 2)}`);
process.exit(0);
