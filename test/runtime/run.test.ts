import { expect, test } from "bun:test";
import { realpathSync } from "node:fs";
import { tmpdir } from "node:os";
import { run } from "../../src/runtime/run.ts";

const signal = new AbortController().signal;

test("run() gives status, stdout and stderr", async () => {
  const result = await run(["sh", "-c", "echo out; echo err >&2; exit 3"], { signal });
  expect(result).toEqual({ status: 3, stdout: "out\n", stderr: "err\n" });
});

test("run() gives 128 + signal where a signal ended the child", async () => {
  expect((await run(["sh", "-c", "kill -TERM $$"], { signal })).status).toBe(143);
});

test("run() passes arguments without a shell", async () => {
  expect((await run(["printf", "%s|", "a b", "$HOME", "*", ""], { signal })).stdout).toBe("a b|$HOME|*||");
});

test("run() passes stdin, environment and folder", async () => {
  const options = { signal, stdin: "from stdin", env: { LIBRARY_TEST: "from env" }, cwd: tmpdir() };
  const result = await run(["sh", "-c", 'cat; echo; echo "$LIBRARY_TEST"; pwd -P'], options);
  expect(result.stdout).toBe(`from stdin\nfrom env\n${realpathSync(tmpdir())}\n`);
});

test("run() takes a child that does not read its stdin", async () => {
  expect((await run(["true"], { signal, stdin: "x".repeat(1 << 20) })).status).toBe(0);
});

test("run() fails with tool-missing where there is no such program", async () => {
  await expect(run(["no-such-program-here"], { signal })).rejects.toMatchObject({ code: "tool-missing" });
  await expect(run(["/no/such/program"], { signal })).rejects.toMatchObject({ code: "tool-missing" });
});

test("run() fails with tool-failed where the file cannot be executed", async () => {
  await expect(run(["/etc/hostname"], { signal })).rejects.toMatchObject({ code: "tool-failed" });
});

test("run() fails with io-error where there is no such folder", async () => {
  await expect(run(["true"], { signal, cwd: "/no/such/folder" })).rejects.toMatchObject({ code: "io-error" });
});

test("run() hands out full lines as they come, the last one also without an end", async () => {
  const lines: string[] = [];
  const errors: string[] = [];
  await run(["sh", "-c", "printf 'a\\nb\\r\\n\\nö'; printf 'x\\ny\\n' >&2"], {
    signal,
    onStdoutLine: (line) => void lines.push(line),
    onStderrLine: (line) => void errors.push(line),
  });
  expect(lines).toEqual(["a", "b", "", "ö"]);
  expect(errors).toEqual(["x", "y"]);
});

test("run() keeps the last bytes of the output", async () => {
  const result = await run(["sh", "-c", "i=0; while [ $i -lt 1000 ]; do echo line $i; i=$((i+1)); done"], {
    signal,
    limit: 18,
  });
  expect(result.stdout).toBe("line 998\nline 999\n");
});

test("run() ends the child and rejects with the signal's reason", async () => {
  const stop = new AbortController();
  const running = run(["sh", "-c", "echo started; exec sleep 60"], {
    signal: stop.signal,
    onStdoutLine: () => stop.abort(new Error("mine")),
  });
  await expect(running).rejects.toThrow("mine");
});

test("run() starts nothing where the signal was aborted before", async () => {
  await expect(run(["true"], { signal: AbortSignal.abort(new Error("mine")) })).rejects.toThrow("mine");
});

test("run() fails with tool-failed after its time, also where a grandchild keeps the pipes", async () => {
  const running = run(["sh", "-c", "sleep 20 & wait"], { signal, timeoutMs: 50 });
  await expect(running).rejects.toMatchObject({ code: "tool-failed" });
});
