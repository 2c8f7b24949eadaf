import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hexOf } from "../../src/core/hashing.ts";
import { makeNodeHttp } from "../../src/runtime/http-node.ts";
import { makeRuntime } from "../../src/runtime/mod.ts";
import { httpCases } from "../contract/http.ts";
import { runHttpCase } from "../contract/http-bench.ts";
import { serveCases } from "../contract/serve.ts";
import { testIo } from "../support/io.ts";

// The runtime's contracts in a runtime without bun:test: `deno run -A test/runtime/deno-ports.ts`. Prints one line a
// failure and a last line with the counts; exits 1 where one failed.

const io = testIo();
const folder = mkdtempSync(join(tmpdir(), "library-deno-"));
const ports = makeRuntime({
  network: { plainHttp: false, insecureRegistries: [], caFiles: [], authFile: undefined, concurrency: 16 },
  env: process.env,
  signal: io.signal,
});

const cases: Record<string, () => Promise<void>> = {
  "hash.file() hashes a large file in a worker": async () => {
    const bytes = Buffer.alloc(9_000_000, "abc");
    writeFileSync(join(folder, "large"), bytes);
    assert.equal(await ports.hash.file(join(folder, "large"), "sha256", io.signal), hexOf("sha256", bytes));
  },
  "lock.exclusive() lets one at a time in": async () => {
    let inside = 0;
    const enter = () =>
      ports.lock.exclusive(join(folder, "lock"), io, async () => {
        assert.equal(++inside, 1);
        await ports.sleep(1);
        inside--;
      });
    await Promise.all(Array.from({ length: 10 }, enter));
  },
  "lock.exclusive() keeps Bun out": async () => {
    const path = join(folder, "lock");
    const holder = new URL("lock-once.ts", import.meta.url).pathname;
    await ports.lock.exclusive(path, io, async () => {
      assert.equal(execFileSync("bun", [holder, path, "0"], { encoding: "utf8" }), "locked\n");
    });
    assert.equal(execFileSync("bun", [holder, path, "0"], { encoding: "utf8" }), "held\n");
  },
  "run() gives status and output": async () => {
    const result = await ports.run(["sh", "-c", "echo out; echo err >&2; exit 3"], { signal: io.signal });
    assert.deepEqual(result, { status: 3, stdout: "out\n", stderr: "err\n" });
  },
  "run() fails with tool-missing where there is no such program": async () => {
    await assert.rejects(ports.run(["no-such-program-here"], { signal: io.signal }), { code: "tool-missing" });
  },
};
for (const [name, body] of Object.entries(httpCases)) cases[`http: ${name}`] = () => runHttpCase(body, makeNodeHttp);
for (const [name, body] of Object.entries(serveCases)) cases[`serve: ${name}`] = body;

let failed = 0;
for (const [name, body] of Object.entries(cases)) {
  try {
    await body();
  } catch (error) {
    failed++;
    console.error(`failed: ${name}`, error);
  }
}
await ports.close();
rmSync(folder, { recursive: true });
console.log(`${Object.keys(cases).length - failed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
