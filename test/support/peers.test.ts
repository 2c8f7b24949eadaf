import { afterEach, expect, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const folder = mkdtempSync(join(tmpdir(), "library-peers-"));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Runs a test file that needs the peers `nosuch-peer` and `present-peer`, of which only the latter is there. */
function runFile(ci: string) {
  mkdirSync(join(folder, "bin"), { recursive: true });
  writeFileSync(join(folder, "bin", "present-peer"), "#!/bin/sh\n");
  chmodSync(join(folder, "bin", "present-peer"), 0o755);
  const support = JSON.stringify(join(import.meta.dir, "peers.ts"));
  writeFileSync(
    join(folder, "some.test.ts"),
    `import { expect } from "bun:test";
     import { describeWithPeers, testWithPeers } from ${support};
     testWithPeers(["present-peer"], "runs", (peers) => expect(peers["present-peer"]).toEndWith("/bin/present-peer"));
     testWithPeers(["present-peer", "nosuch-peer"], "does not run", () => console.log("the body ran"));
     describeWithPeers(["nosuch-peer"], "block", () => console.log("the body ran"));`,
  );
  const { exitCode, stdout, stderr } = Bun.spawnSync([process.execPath, "test", "./some.test.ts"], {
    cwd: folder,
    env: { ...process.env, LIBRARY_PEERS: folder, CI: ci },
  });
  return { exitCode, output: `${stdout}${stderr}` };
}

test("testWithPeers() skips with a reason when a peer is missing outside CI", () => {
  const { exitCode, output } = runFile("");
  expect(exitCode).toBe(0);
  expect(output).toContain("skip: does not run: nosuch-peer not found");
  expect(output).toContain("skip: block: nosuch-peer not found");
  expect(output).toMatch(/\b1 pass\n 2 skip\n 0 fail\n/);
  expect(output).not.toContain("the body ran");
});

test("testWithPeers() fails when a peer is missing with CI=true", () => {
  const { exitCode, output } = runFile("true");
  expect(exitCode).toBe(1);
  expect(output).toMatch(/\b1 pass\n 2 fail\n/);
});
