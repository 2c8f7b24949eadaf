import { writeSync } from "node:fs";
import { isatty } from "node:tty";

/** Whether standard input (0), output (1) or error (2) is a terminal. */
export function isTerminal(descriptor: 0 | 1 | 2): boolean {
  return isatty(descriptor);
}

/** Columns of the terminal on standard error; 80 where they are not known. */
export function terminalColumns(): number {
  return (isatty(2) && process.stderr.columns) || 80;
}

/**
 * Writes all of `text` to standard output (1) or error (2) before it returns; throws the system's error, `EPIPE` where
 * nobody reads any more. By the descriptor, because `process.stdout` takes 10 ms to come to life.
 */
export function writeStandard(descriptor: 1 | 2, text: string): void {
  const bytes = new TextEncoder().encode(text);
  let written = 0;
  while (written < bytes.byteLength) {
    try {
      written += writeSync(descriptor, bytes, written);
    } catch (error) {
      // A pipe that another process made non-blocking is full for the moment
      if (!(error instanceof Error && "code" in error && error.code === "EAGAIN")) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
}
