import { LibraryError } from "../core/error.ts";
import type { Terminal } from "../core/ports.ts";
import { isTerminal, terminalColumns } from "./standard-streams.ts";

/** Whether `error` says that the reader of standard output went away, as `head` does: no reason to complain. */
export function isBrokenPipe(error: unknown): boolean {
  return error instanceof LibraryError && error.cause instanceof Error && brokenPipe(error.cause);
}

/**
 * The process's own standard streams. `writeStdout` fails with `io-error` where the bytes cannot be written, for which
 * `isBrokenPipe` tells a reader that went away. `ask` fails with `interrupted` on Ctrl-C while nothing is echoed.
 */
export function makeTerminal(): Terminal {
  /** What was read from standard input beyond the line asked for. */
  let rest = Buffer.alloc(0);
  let input: AsyncIterator<Uint8Array> | undefined;

  return {
    // By descriptor: the streams of `process` take 10 ms to come to life, and most commands need none of them
    stdinIsTerminal: isTerminal(0),
    stdoutIsTerminal: isTerminal(1),
    stderrIsTerminal: isTerminal(2),
    get columns() {
      return terminalColumns();
    },
    async ask(question, options = {}) {
      if (options.hidden && process.stdin.isTTY) return readHidden(question);
      process.stderr.write(question);
      return readLine();
    },
    async readStdin(limit) {
      const chunks: Uint8Array[] = [];
      let size = 0;
      for (let chunk = await next(); chunk !== undefined; chunk = await next()) {
        size += chunk.byteLength;
        if (size > limit) {
          throw new LibraryError("limit-exceeded", `Cannot read standard input: more than ${limit} bytes`);
        }
        chunks.push(chunk);
      }
      return new Uint8Array(Buffer.concat(chunks));
    },
    stdin: () =>
      new ReadableStream(
        {
          async pull(controller) {
            const chunk = await next();
            if (chunk === undefined) controller.close();
            else controller.enqueue(chunk);
          },
        },
        { highWaterMark: 0 },
      ),
    writeStdout: (bytes) => writeStdout(bytes),
  };

  /** The next bytes of standard input, never empty; undefined at its end. */
  async function next(): Promise<Uint8Array | undefined> {
    if (rest.byteLength > 0) {
      const held = rest;
      rest = Buffer.alloc(0);
      return held;
    }
    input ??= process.stdin[Symbol.asyncIterator]();
    for (;;) {
      const { done, value } = await input.next();
      if (done) return undefined;
      const chunk = typeof value === "string" ? Buffer.from(value) : value;
      if (chunk.byteLength > 0) return chunk;
    }
  }

  async function readLine(): Promise<string | undefined> {
    let line = Buffer.alloc(0);
    for (;;) {
      const chunk = await next();
      if (chunk === undefined) return line.byteLength > 0 ? line.toString("utf8") : undefined;
      const end = chunk.indexOf(0x0a);
      line = Buffer.concat([line, end < 0 ? chunk : chunk.subarray(0, end)]);
      if (end < 0) continue;
      rest = Buffer.from(chunk.subarray(end + 1));
      return line.toString("utf8").replace(/\r$/, "");
    }
  }

  async function readHidden(question: string): Promise<string | undefined> {
    // Before the question, so that an answer that comes at once is not echoed either
    process.stdin.setRawMode(true);
    process.stderr.write(question);
    const characters: string[] = [];
    try {
      for (;;) {
        const chunk = await next();
        if (chunk === undefined) return characters.length > 0 ? characters.join("") : undefined;
        const text = [...Buffer.from(chunk).toString("utf8")];
        for (const [at, character] of text.entries()) {
          if (character === "\r" || character === "\n") {
            rest = Buffer.from(text.slice(at + 1).join(""));
            return characters.join("");
          }
          if (character === "\u0003") throw new LibraryError("interrupted", "Interrupted");
          if (character === "\u0004" && characters.length === 0) return undefined;
          if (character === "\u007f" || character === "\b") characters.pop();
          else if (character >= " ") characters.push(character);
        }
      }
    } finally {
      process.stdin.setRawMode(false);
      process.stderr.write("\n");
    }
  }
}

function writeStdout(bytes: Uint8Array | string): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (cause: Error) =>
      reject(
        new LibraryError(
          "io-error",
          `Cannot write standard output: ${brokenPipe(cause) ? "its reader went away" : "it failed"}`,
          {
            cause,
          },
        ),
      );
    // Without a listener, a reader that went away would end the process as an uncaught error
    if (process.stdout.listenerCount("error") === 0) process.stdout.on("error", () => {});
    process.stdout.write(bytes, (error) => (error ? fail(error) : resolve()));
  });
}

function brokenPipe(error: Error): boolean {
  return "code" in error && (error.code === "EPIPE" || error.code === "ERR_STREAM_DESTROYED");
}
