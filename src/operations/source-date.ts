import type { Context } from "../core/context.ts";
import { LibraryError } from "../core/error.ts";

/** The last second of the year 9999, beyond which RFC 3339 has no form. */
const maxSeconds = 253_402_300_799;

/**
 * The moment that `SOURCE_DATE_EPOCH` names, for everything that would else depend on when it was made; undefined where
 * it is not set. Throws `invalid-configuration`. reproducible-builds.org, "SOURCE_DATE_EPOCH specification".
 */
export function sourceDate({ env }: Pick<Context, "env">): Date | undefined {
  const text = env.SOURCE_DATE_EPOCH;
  if (text === undefined || text === "") return undefined;
  const seconds = /^[0-9]{1,12}$/.test(text) ? Number(text) : Number.NaN;
  if (seconds <= maxSeconds) return new Date(seconds * 1000);
  throw new LibraryError("invalid-configuration", `Cannot use SOURCE_DATE_EPOCH: ${JSON.stringify(text)}`, {
    hint: 'Set it to seconds since 1970, as "export SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)"',
  });
}
