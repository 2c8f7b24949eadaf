import type { Run } from "../../src/core/ports.ts";
import { makeRuntime } from "../../src/runtime/mod.ts";
import { type FixedContext, type FixedWorld, fixedContext } from "./fixed-context.ts";

/** Runs `body` with a context whose network, locks, hashes and programs are real; time and environment are the test's. */
export async function withRealContext<T>(
  world: FixedWorld & { readonly run?: Run },
  body: (context: FixedContext) => Promise<T>,
): Promise<T> {
  const fixed = fixedContext(world);
  const { network, env, signal } = fixed;
  const { close, ...ports } = makeRuntime({ network, env, signal });
  const { terminal, state, now } = fixed;
  try {
    return await body({ ...fixed, ...ports, terminal, state, now, run: world.run ?? fixed.run });
  } finally {
    await close();
  }
}
