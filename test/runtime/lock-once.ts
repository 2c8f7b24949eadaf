import { readFileSync, writeFileSync } from "node:fs";
import { isLibraryError } from "../../src/core/error.ts";
import { makeLock } from "../../src/runtime/lock.ts";
import { testIo } from "../support/io.ts";

// A process for the tests of locks: `lock-once.ts PATH TIMEOUT` prints "held" or "locked", `lock-once.ts PATH hold`
// prints "held" and keeps the lock until it is killed, `lock-once.ts PATH count FILE TIMES` increments a number.

const [path = "", mode = "0", file = "", times = "0"] = process.argv.slice(2);
const lock = makeLock();
const io = testIo();

if (mode === "count") {
  for (let count = 0; count < Number(times); count++) {
    await lock.exclusive(path, io, async () => {
      const before = Number(readFileSync(file, "utf8"));
      // A turn of the event loop between reading and writing, so that a broken lock loses increments
      await new Promise((resolve) => setImmediate(resolve));
      writeFileSync(file, String(before + 1));
    });
  }
} else if (mode === "hold") {
  await lock.exclusive(path, io, async () => {
    process.stdout.write("held\n");
    // Ends by itself if the test that kills it does not
    await new Promise((resolve) => setTimeout(resolve, 60_000));
  });
} else {
  try {
    await lock.exclusive(path, io, async () => void process.stdout.write("held\n"), Number(mode));
  } catch (error) {
    if (!isLibraryError(error, "locked")) throw error;
    process.stdout.write("locked\n");
  }
}
