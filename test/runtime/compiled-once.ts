import { testIo } from "../support/io.ts";

// Compiled by compiled.test.ts: what is loaded late (workers, SQLite, clients, servers) must be in the executable.

const [file = "", lock = ""] = process.argv.slice(2);
// Written so that the bundler splits here as it does for commands
const { makeRuntime } = await import("../../src/runtime/mod.ts");
const io = testIo();
const ports = makeRuntime({
  network: { plainHttp: false, insecureRegistries: [], caFiles: [], authFile: undefined, concurrency: 16 },
  env: process.env,
  signal: io.signal,
});
const hex = await ports.hash.file(file, "sha256", io.signal);
const held = await ports.lock.exclusive(lock, io, async () => "held");
const server = await ports.serve({
  hostname: "127.0.0.1",
  port: 0,
  handler: async () => ({ status: 200, headers: {}, body: Buffer.from("served") }),
});
const response = await ports.http.send({ method: "GET", url: new URL(server.url), headers: {}, signal: io.signal });
const served = Buffer.from(await response.body.bytes(100)).toString();
const { status } = await ports.run(["true"], { signal: io.signal });
await server.stop(0);
await ports.close();
await ports.terminal.writeStdout(JSON.stringify({ hex, held, served, status }));
