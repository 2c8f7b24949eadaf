import type { Io } from "../../src/core/content.ts";
import type { Event } from "../../src/core/event.ts";

/** An Io that keeps its events; never aborts unless the signal given does. */
export function testIo(signal: AbortSignal = new AbortController().signal): Io & { readonly events: Event[] } {
  const events: Event[] = [];
  return { signal, emit: (event) => void events.push(event), events };
}
