import { randomBytes } from "node:crypto";
import type { Random } from "../core/ports.ts";

/** Randomness of the operating system; `fraction` is for jitter only. */
export const random: Random = {
  hex: (bytes) => randomBytes(bytes).toString("hex"),
  fraction: () => Math.random(),
};
