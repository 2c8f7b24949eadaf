import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { hashSync } from "bcryptjs";
import { libraryBinary } from "./program.ts";

export interface ServingOptions {
  /** An empty folder of the test's own; holds the root, the passwords and `serve.log`. */
  readonly dir: string;
  readonly auth?: { readonly username: string; readonly password: string };
}

export interface ServingLibrary {
  /** As `127.0.0.1:40001`. */
  readonly host: string;
  readonly url: string;
  /** The folder with one layout a repository. */
  readonly root: string;
  /** Interrupts it and waits until it is gone; the exit status. */
  stop(): Promise<number>;
}

/** `library serve` of the compiled executable on a free port of 127.0.0.1; the caller stops it. */
export async function startServing({ dir, auth }: ServingOptions): Promise<ServingLibrary> {
  const root = join(dir, "root");
  const addressFile = join(dir, "address");
  await mkdir(root, { recursive: true });
  const argv = ["serve", "--root", root, "--address", "127.0.0.1:0", "--address-file", addressFile];
  if (auth) {
    const passwords = join(dir, "htpasswd");
    await writeFile(passwords, `${auth.username}:${hashSync(auth.password, 4)}\n`);
    argv.push("--htpasswd", passwords);
  }
  const log = join(dir, "serve.log");
  const out = openSync(log, "w");
  const child = spawn(libraryBinary(), argv, {
    stdio: ["ignore", out, out],
    env: { PATH: process.env.PATH ?? "", HOME: dir },
  });
  closeSync(out);
  let status: number | undefined;
  const gone = new Promise<number>((resolve) => {
    const end = (code: number) => {
      status = code;
      resolve(code);
    };
    child.once("exit", (code) => end(code ?? 128));
    child.once("error", () => end(127));
  });
  const kill = () => void child.kill("SIGKILL");
  process.once("exit", kill);
  const stop = async () => {
    process.off("exit", kill);
    if (status === undefined) child.kill("SIGINT");
    return gone;
  };
  const deadline = Date.now() + 20_000;
  for (;;) {
    const url = await readFile(addressFile, "utf8").then(
      (text) => text.trim(),
      () => "", // Not listening yet
    );
    if (url !== "") return { url, host: new URL(url).host, root, stop };
    if (status !== undefined || Date.now() > deadline) {
      await stop();
      throw new Error(`library serve did not start: ${await readFile(log, "utf8")}`);
    }
    await Bun.sleep(20);
  }
}
