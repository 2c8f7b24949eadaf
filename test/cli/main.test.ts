import { describe, expect, test } from "bun:test";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { fileURLToPath } from "node:url";
import packageFile from "../../package.json" with { type: "json" };
import { withFolder } from "../support/folder.ts";

const main = fileURLToPath(new URL("../../src/main.ts", import.meta.url));
const bun = [process.execPath, main] as const;
// A registry that accepts and never answers: the operation waits until it is interrupted
const listener = `
  const server = require("node:net").createServer(() => {});
  server.listen(0, "127.0.0.1", () => console.log(server.address().port));
  setTimeout(() => process.exit(), 60_000);
`;

function runMain(...args: readonly string[]) {
  const [program, ...rest] = [...bun, ...args];
  const { status, stdout, stderr } = spawnSync(program, rest, { encoding: "utf8" });
  return { status, stdout, stderr };
}

describe("main.ts", () => {
  test("prints the version that package.json holds", () => {
    expect(runMain("version")).toMatchObject({ status: 0, stderr: "" });
    expect(runMain("version").stdout).toStartWith(`library ${packageFile.version} (bun `);
    expect(JSON.parse(runMain("version", "--json").stdout)).toMatchObject({
      command: "version",
      result: { version: packageFile.version, os: expect.any(String), architecture: expect.any(String) },
    });
  });

  test("prints the same help for help, --help and -h of a command", () => {
    const { stdout } = runMain("copy", "--help");
    expect(runMain("help", "copy").stdout).toBe(stdout);
    expect(runMain("cp", "-h").stdout).toBe(stdout);
    expect(stdout).toContain("Usage: library copy");
  });

  test("exits 2 for a usage error, which it explains", () => {
    expect(runMain("cpoy")).toEqual({
      status: 2,
      stdout: "",
      stderr: 'error: Cannot find command "cpoy"\nhint: Did you mean "library copy"?\n',
    });
  });

  test("ends quietly where nobody reads its output", () => {
    const line = `set -o pipefail; "$0" "$1" completion bash | head -c 10; exit $?`;
    const { status, stderr } = spawnSync("bash", ["-c", line, ...bun], { encoding: "utf8" });
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  });

  test("completes by what its completion command prints", () => {
    const script = `source <("$0" "$1" completion bash); COMP_WORDS=(library completion z) COMP_CWORD=2; _library; echo "\${COMPREPLY[*]}"`;
    expect(spawnSync("bash", ["-c", script, ...bun], { encoding: "utf8" }).stdout).toBe("zsh\n");
  });
});

describe("main.ts, interrupted", () => {
  test.each(["SIGINT", "SIGTERM"] as const)("by %s exits 130", async (signal) => {
    await withSilentRegistry(async (child, stderr) => {
      child.kill(signal);
      expect(await ended(child)).toBe(130);
      expect(stderr()).toContain(`error: Interrupted by ${signal}`);
    });
  });
});

test("main.ts ends at once by the second signal, while the first lets the work end", async () => {
  await withFolder({}, async (folder) => {
    const argv = [main, "serve", "--root", folder, "--address", "127.0.0.1:0"];
    const server = spawn(process.execPath, argv, { env: { PATH: process.env.PATH, HOME: folder } });
    const [line] = await once(server.stderr, "data");
    const port = Number(/:(\d+)\s*$/.exec(String(line))?.[1]);
    // An upload that never ends keeps the server busy, for which it waits seconds before it exits 0
    const upload = connect(port, "127.0.0.1");
    upload.on("error", () => {});
    const query = `digest=sha256:${"0".repeat(64)}`;
    upload.write(`POST /v2/x/blobs/uploads/?${query} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\na`);
    await once(upload, "connect");
    const signals = setInterval(() => server.kill("SIGINT"), 50);
    try {
      expect(await ended(server)).toBe(130);
    } finally {
      clearInterval(signals);
      server.kill("SIGKILL");
      upload.destroy();
    }
  });
});

async function withSilentRegistry(body: (child: ChildProcess, stderr: () => string) => Promise<void>): Promise<void> {
  await withFolder({}, async (home) => {
    const registry = spawn(process.execPath, ["-e", listener], { stdio: ["ignore", "pipe", "inherit"] });
    try {
      const [port] = await once(registry.stdout, "data");
      const argv = [main, "resolve", "--debug", `127.0.0.1:${String(port).trim()}/app:1`];
      const child = spawn(process.execPath, argv, { env: { PATH: process.env.PATH, HOME: home } });
      let stderr = "";
      // The first request is on its way once --debug tells of it
      await new Promise<void>((resolve) => {
        child.stderr.on("data", (chunk) => {
          stderr += chunk;
          if (stderr.includes("debug: GET")) resolve();
        });
        child.on("exit", () => resolve());
      });
      await body(child, () => stderr);
    } finally {
      registry.kill();
    }
  });
}

async function ended(child: ChildProcess): Promise<number | null> {
  if (child.exitCode === null) await once(child, "exit");
  return child.exitCode;
}
