const exhausted = new WeakSet<Error>();

/** Keeps, beside an error that is about to be thrown, that it was tried again as often as allowed. */
export function noteExhausted(error: Error): void {
  exhausted.add(error);
}

/** Whether it was tried again as often as allowed before this was thrown: whoever is above does not begin anew. */
export function isExhausted(error: unknown): boolean {
  return error instanceof Error && exhausted.has(error);
}
