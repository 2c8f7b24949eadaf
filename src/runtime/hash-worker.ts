import { createHash } from "node:crypto";
import { closeSync, openSync, readSync } from "node:fs";
import { parentPort } from "node:worker_threads";
import type { HashAnswer, HashTask } from "./hash.ts";

// The thread of one worker: has no other work than this, so that it may block
const buffer = new Uint8Array(1 << 20);

parentPort?.on("message", ({ path, algorithm }: HashTask) => {
  parentPort?.postMessage(answer(path, algorithm));
});

function answer(path: string, algorithm: HashTask["algorithm"]): HashAnswer {
  try {
    const file = openSync(path, "r");
    try {
      const hash = createHash(algorithm);
      for (let read = readSync(file, buffer); read > 0; read = readSync(file, buffer)) {
        hash.update(buffer.subarray(0, read));
      }
      return { hex: hash.digest("hex") };
    } finally {
      closeSync(file);
    }
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) };
  }
}
