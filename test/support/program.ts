import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";

/** How a program ended. */
export interface Ended {
  /** 128 and the signal's number where a signal ended it. */
  readonly status: number;
  readonly stdout: Buffer;
  readonly stderr: string;
}

export interface ProgramOptions {
  readonly cwd?: string;
  /** Besides PATH and a HOME that does not exist. */
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string | Uint8Array;
  /** It is killed after this time; 120 s unless told. */
  readonly timeoutMs?: number;
}

/** Runs a program to its end; nothing of this machine's configuration reaches it but PATH. */
export function runProgram(program: string, argv: readonly string[], options: ProgramOptions = {}): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, argv, {
      cwd: options.cwd ?? process.cwd(),
      env: { PATH: process.env.PATH ?? "", HOME: "/nonexistent/home", ...options.env },
      stdio: ["pipe", "pipe", "pipe"],
      timeout: options.timeoutMs ?? 120_000,
      killSignal: "SIGKILL",
    });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => out.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => err.push(chunk));
    child.stdin.on("error", () => {}); // It may end without having read
    child.once("error", reject);
    child.once("close", (status, signal) =>
      resolve({
        status: status ?? (signal === "SIGKILL" ? 137 : 128),
        stdout: Buffer.concat(out),
        stderr: Buffer.concat(err).toString("utf8"),
      }),
    );
    child.stdin.end(options.input);
  });
}

/** What the program printed; throws with its stderr where it did not end with status 0. */
export async function outputOf(
  program: string,
  argv: readonly string[],
  options: ProgramOptions = {},
): Promise<Buffer> {
  const { status, stdout, stderr } = await runProgram(program, argv, options);
  if (status === 0) return stdout;
  throw new Error(`${program} ${argv.join(" ")} ended with ${status}: ${stderr}${stdout.subarray(0, 4000)}`);
}

/** The compiled executable: `$LIBRARY_BINARY`, or `dist/library` of this checkout. */
export function libraryBinary(): string {
  const path = process.env.LIBRARY_BINARY ?? join(import.meta.dir, "..", "..", "dist", "library");
  if (existsSync(path)) return path;
  throw new Error(`Cannot test the executable: ${path} does not exist. Run "sh scripts/build.sh"`);
}

/** Runs the compiled executable. */
export function runLibrary(argv: readonly string[], options: ProgramOptions = {}): Promise<Ended> {
  return runProgram(libraryBinary(), argv, options);
}

/** What the compiled executable printed; throws where it did not end with status 0. */
export function libraryOutput(argv: readonly string[], options: ProgramOptions = {}): Promise<Buffer> {
  return outputOf(libraryBinary(), argv, options);
}
