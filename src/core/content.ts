import type { Event } from "./event.ts";

/** Bytes that can be had again, from any offset: for retries, for resuming, and for the runtime's fast paths. */
export interface Content {
  /** Bytes; -1 where it is not known before the end. */
  readonly size: number;
  /** Where the bytes already lie, whole, in this file. */
  readonly file?: string;
  /** A new stream of the bytes from `offset` on; the caller reads it to the end or cancels it. */
  stream(offset?: number): Promise<ReadableStream<Uint8Array>>;
  /**
   * Writes the bytes from `offset` on to the end of the file at `path`, which holds `offset` bytes before (and is made
   * if it is missing), without passing them through the program. Nothing is checked. Resolves to the bytes written.
   */
  saveTo?(path: string, offset?: number): Promise<number>;
}

/** What everything below the operations takes: how to stop, and where to tell what happens. */
export interface Io {
  readonly signal: AbortSignal;
  emit(event: Event): void;
}
