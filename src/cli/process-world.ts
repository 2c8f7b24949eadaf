import { isTerminal, terminalColumns, writeStandard } from "../runtime/standard-streams.ts";
import type { World } from "./world.ts";

/** The world of this process. `signal` is to abort with a LibraryError `interrupted`. */
export function processWorld(signal: AbortSignal): World {
  return {
    env: process.env,
    cwd: process.cwd(),
    stdoutIsTerminal: isTerminal(1),
    stderrIsTerminal: isTerminal(2),
    columns: terminalColumns,
    writeStdout: async (text) => writeStandard(1, text),
    writeStderr(text) {
      try {
        writeStandard(2, text);
      } catch {
        // There is no other place to say so, and the exit status stays what it is
      }
    },
    now: () => performance.now(),
    every(milliseconds, tick) {
      const timer = setInterval(tick, milliseconds);
      timer.unref();
      return () => clearInterval(timer);
    },
    signal,
    openContext: async (settings) => (await import("./context.ts")).openContext(settings, signal),
  };
}
