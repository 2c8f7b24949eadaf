import { makeRuntime } from "../runtime/mod.ts";
import type { OpenContext, RunSettings } from "./world.ts";

/** The context of one run over the ports of this process: the composition root. The caller closes it. */
export function openContext(settings: RunSettings, signal: AbortSignal): OpenContext {
  const { network, emit } = settings;
  const { env } = process;
  const { close, ...ports } = makeRuntime({ network, env, signal });
  return { context: { ...ports, network, env, cwd: process.cwd(), signal, emit }, close };
}
