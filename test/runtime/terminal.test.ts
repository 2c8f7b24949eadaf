import { expect, test } from "bun:test";
import { spawn } from "node:child_process";

const script = new URL("terminal-once.ts", import.meta.url).pathname;

test("ask() reads lines, each once, and undefined at the end", async () => {
  const { stdout, stderr } = await run("ask", "one\r\ntwo\nlast");
  expect(JSON.parse(stdout)).toEqual(["one", "two", "last", null]);
  expect(stderr).toBe("Question? Question? Question? Question? ");
});

test("readStdin() reads all that ask() left", async () => {
  expect((await run("ask-then-rest", "password\nthe rest\n")).stdout).toBe('["password","the rest\\n"]');
});

test("readStdin() fails with limit-exceeded beyond its limit", async () => {
  expect((await run("limit", "12345")).stdout).toBe("5");
  expect((await run("limit", "123456")).stdout).toBe("limit-exceeded");
});

test("stdin() passes all bytes on", async () => {
  expect((await run("count", "x".repeat(3_000_000))).stdout).toBe("3000000");
});

test("writeStdout() writes all bytes to a slow reader", async () => {
  expect((await run("write", "")).stdout.length).toBe(8 << 20);
});

test("writeStdout() fails with a broken pipe where the reader goes away", async () => {
  const child = spawn(process.execPath, [script, "write"], { stdio: ["ignore", "pipe", "pipe"] });
  let stderr = "";
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
  });
  child.stdout.once("data", () => child.stdout.destroy());
  const status = await new Promise((resolve) => child.once("close", resolve));
  expect({ status, stderr }).toEqual({ status: 0, stderr: "broken pipe" });
});

test.skipIf(!Bun.which("script"))("ask() with hidden shows nothing of what is typed on a terminal", async () => {
  // util-linux' script gives the child a terminal of its own
  const child = spawn("script", ["-qec", `${process.execPath} ${script} hidden`, "/dev/null"], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  let shown = "";
  child.stdout.on("data", (chunk) => {
    if (!shown.includes("Question?") && String(chunk).includes("Question?")) child.stdin.write("secreX\x7ft\r");
    shown += chunk;
  });
  const status = await new Promise((resolve) => child.once("close", resolve));
  expect({ status, shown: shown.replaceAll("\r\n", "\n") }).toEqual({
    status: 0,
    shown: "Question? \nlength 6, right true\n",
  });
});

async function run(mode: string, input: string): Promise<{ stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [script, mode], { stdio: "pipe" });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk) => {
    stdout += chunk;
  });
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
  });
  child.stdin.on("error", () => {});
  child.stdin.end(input);
  await new Promise((resolve) => child.once("close", resolve));
  return { stdout, stderr };
}
