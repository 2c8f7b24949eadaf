import { reportCrash, run } from "./cli/app.ts";
import { processWorld } from "./cli/process-world.ts";
import { LibraryError } from "./core/error.ts";

const interruption = new AbortController();
const world = processWorld(interruption.signal);

// The first signal lets the work end cleanly, the second ends the process
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    if (interruption.signal.aborted) process.exit(130);
    interruption.abort(new LibraryError("interrupted", `Interrupted by ${signal}`));
  });
}
for (const crash of ["uncaughtException", "unhandledRejection"] as const) {
  process.on(crash, (thrown: unknown) => process.exit(reportCrash(thrown, process.argv.slice(2), world)));
}

process.exit(await run(process.argv.slice(2), world));
