import { makeHash } from "../../src/runtime/hash.ts";
import { makeLock } from "../../src/runtime/lock.ts";
import { random } from "../../src/runtime/random.ts";

/** The real ports that stores take. */
export const storePorts = { hash: makeHash(), lock: makeLock(), random };
