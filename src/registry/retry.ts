import type { Io } from "../core/content.ts";
import { isLibraryError, LibraryError, RegistryError } from "../core/error.ts";
import { isExhausted, noteExhausted } from "../core/exhausted.ts";
import type { Random } from "../core/ports.ts";

/** How often and how patiently a request is sent again. */
export interface RetrySettings {
  /** Sends of one request, the first included. */
  readonly attempts: number;
  /** Milliseconds before the second send; doubled before each further one, less a random part of up to a half. */
  readonly firstWaitMs: number;
  /** Milliseconds: the longest of these waits. */
  readonly longestWaitMs: number;
  /** Milliseconds: the longest `Retry-After` that is waited for; beyond it the request fails at once. */
  readonly longestRetryAfterMs: number;
}

/** Five waits, less than 7 s together, and up to two minutes where the registry itself says how long. */
export const defaultRetrySettings: RetrySettings = {
  attempts: 6,
  firstWaitMs: 200,
  longestWaitMs: 10_000,
  longestRetryAfterMs: 120_000,
};

/** What waiting takes. */
export interface RetryClock {
  readonly retry: RetrySettings;
  readonly random: Random;
  sleep(milliseconds: number): Promise<void>;
}

/** An attempt that failed with an error that another one may cure. */
export interface Again {
  readonly kind: "again";
  readonly error: LibraryError;
  readonly retryAfterMs: number | undefined;
}

/** The outcome of one attempt. */
export type Attempt<T> = { readonly kind: "done"; readonly value: T } | Again;

/**
 * The value of the first of at most `attempts` that has one. Attempts that ask for another, or that throw `network-error`, are
 * repeated after a wait, which is told as an event; when the attempts are used up, the last error is thrown.
 */
export async function withRetries<T>(
  clock: RetryClock,
  subject: string,
  attempts: number,
  io: Io,
  attempt: (number: number) => Promise<Attempt<T>>,
): Promise<T> {
  for (let number = 1; ; number++) {
    io.signal.throwIfAborted();
    const outcome = await attempt(number).catch(againAfterNetworkError);
    if (outcome.kind === "done") return outcome.value;
    if (isExhausted(outcome.error)) throw outcome.error;
    if (number >= Math.min(attempts, attemptsFor(outcome.error))) {
      if (attempts > 1) noteExhausted(outcome.error);
      throw outcome.error;
    }
    const milliseconds = waitBefore(clock, number, outcome.retryAfterMs, outcome.error);
    io.emit({ kind: "wait", reason: `${subject}: ${reasonOf(outcome.error)}`, milliseconds });
    await pause(clock, milliseconds, io);
  }
}

/** Resolves after `milliseconds`; rejects with the reason of the Io's signal when that aborts. */
export async function pause(clock: RetryClock, milliseconds: number, io: Io): Promise<void> {
  const { signal } = io;
  signal.throwIfAborted();
  let stop: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
  });
  try {
    await Promise.race([clock.sleep(milliseconds), aborted]);
  } finally {
    if (stop) signal.removeEventListener("abort", stop);
  }
}

const retryAfters = new WeakMap<LibraryError, number>();

/** Keeps, beside an error that is about to be thrown, how long the registry asked to wait. */
export function noteRetryAfter(error: LibraryError, milliseconds: number | undefined): void {
  if (milliseconds !== undefined) retryAfters.set(error, milliseconds);
}

/** An attempt that failed with this error, to be tried again after what the registry asked to wait, if it did. */
export function againAfter(error: LibraryError): Again {
  return { kind: "again", error, retryAfterMs: retryAfters.get(error) };
}

/** Whether the same request may succeed later: `network-error`, or a refusal with a transient status. */
export function isTransientError(error: unknown): error is LibraryError {
  if (error instanceof RegistryError) return isTransient(error.refusal.status);
  return isLibraryError(error, "network-error");
}

/** Whether a request that got this status may be answered better later: distribution-spec v1.1.1, "Error Codes"; RFC 6585. */
export function isTransient(status: number): boolean {
  return status === 408 || status === 425 || status === 429 || (status >= 500 && status !== 501 && status !== 505);
}

/** Milliseconds that a `Retry-After` asks to wait, in seconds or as a date: RFC 9110, section 10.2.3. */
export function parseRetryAfter(header: string | null, now: Date): number | undefined {
  const text = (header ?? "").trim();
  if (/^[0-9]{1,9}$/.test(text)) return Number(text) * 1000;
  if (!/^[A-Za-z]{3}, [0-9]{2} [A-Za-z]{3} [0-9]{4} [0-9:]{8} GMT$/.test(text)) return undefined;
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now.getTime());
}

function againAfterNetworkError(error: unknown): Again {
  if (isLibraryError(error, "network-error")) return againAfter(error);
  throw error;
}

/** A name that does not resolve and a port that nobody listens on seldom change within seconds. */
function attemptsFor(error: LibraryError): number {
  const codes = causeCodes(error);
  if (codes.includes("ENOTFOUND")) return 1;
  return codes.includes("ECONNREFUSED") || codes.includes("ConnectionRefused") ? 3 : Number.POSITIVE_INFINITY;
}

/** The codes of an error's causes; of several addresses that were tried, the first counts. */
function causeCodes(error: Error): readonly unknown[] {
  const codes: unknown[] = [];
  for (let at: unknown = error.cause, depth = 0; at instanceof Error && depth < 5; depth++) {
    if ("code" in at) codes.push(at.code);
    at = at instanceof AggregateError ? at.errors[0] : at.cause;
  }
  return codes;
}

function waitBefore(clock: RetryClock, number: number, retryAfterMs: number | undefined, error: LibraryError): number {
  const { firstWaitMs, longestWaitMs, longestRetryAfterMs } = clock.retry;
  if (retryAfterMs === undefined) {
    const longest = Math.min(longestWaitMs, firstWaitMs * 2 ** (number - 1));
    return Math.ceil(longest * (1 - clock.random.fraction() / 2));
  }
  if (retryAfterMs > longestRetryAfterMs) {
    throw new LibraryError(error.code, `${error.message}, to be tried again in ${Math.ceil(retryAfterMs / 1000)} s`, {
      cause: error,
      hint: `Try again in ${Math.ceil(retryAfterMs / 1000)} seconds`,
    });
  }
  // Not all that were told to come back at once come back at once
  return Math.ceil(retryAfterMs + Math.min(1000, retryAfterMs / 4 + 50) * clock.random.fraction());
}

function reasonOf(error: LibraryError): string {
  return error.message.replace(/^Cannot [^:]*: /, "");
}
