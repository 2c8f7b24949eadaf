import { Buffer } from "node:buffer";
import { createHmac } from "node:crypto";
import { compare } from "bcryptjs";
import { InvalidInputError, type Problem } from "../core/error.ts";
import { refusal } from "./errors.ts";

/** Decides whether the value of an Authorization header is that of a known user. */
export type Authenticate = (authorization: string | null) => Promise<boolean>;

/** What an authenticator needs from outside. */
export interface HtpasswdOptions {
  /** What messages call the file. */
  readonly file: string;
  /** Random, and this process's alone: keys the cache, so that no password nor its plain hash is kept. */
  readonly cacheKey: string;
  readonly now: () => Date;
}

const cacheMs = 60_000;
const maxCached = 1000;
const maxWaiting = 64;
const maxHeaderLength = 8192;

/**
 * Checks Basic credentials against the text of an htpasswd file, bcrypt only, as distribution's registry takes it. A
 * user that is not there costs the same time as a wrong password. A pair that was right is remembered for a minute, and
 * equal pairs that come at the same time are checked once. Throws `invalid-input` with every line that cannot be used.
 */
export function htpasswd(text: string, options: HtpasswdOptions): Authenticate {
  const users = parse(text, options.file);
  const [decoy = ""] = users.values();
  const verified = new Map<string, number>();
  const checking = new Map<string, Promise<boolean>>();

  return async (authorization) => {
    const pair = basicPair(authorization);
    if (pair === undefined) return false;
    const hash = users.get(pair.user);
    const key = createHmac("sha256", options.cacheKey)
      .update(JSON.stringify([pair.user, pair.password, hash ?? ""]))
      .digest("base64");
    const now = options.now().getTime();
    if ((verified.get(key) ?? 0) > now) return true;
    let check = checking.get(key);
    if (check === undefined) {
      if (checking.size >= maxWaiting) {
        throw refusal(429, "TOOMANYREQUESTS", "too many sign-ins at a time", { headers: { "retry-after": "1" } });
      }
      check = compare(pair.password, hash ?? decoy)
        .then((same) => same && hash !== undefined)
        .finally(() => checking.delete(key));
      checking.set(key, check);
    }
    if (!(await check)) return false;
    if (verified.size >= maxCached) verified.clear();
    verified.set(key, now + cacheMs);
    return true;
  };
}

function parse(text: string, file: string): ReadonlyMap<string, string> {
  const users = new Map<string, string>();
  const problems: Problem[] = [];
  for (const [index, raw] of text.split("\n").entries()) {
    const line = raw.trim();
    if (line === "" || line.startsWith("#")) continue;
    const colon = line.indexOf(":");
    const hash = line.slice(colon + 1);
    if (colon > 0 && /^\$2[aby]\$[0-9]{2}\$[./A-Za-z0-9]{53}$/.test(hash)) users.set(line.slice(0, colon), hash);
    else problems.push({ file, line: index + 1, message: "not of the form user:hash with a bcrypt hash" });
  }
  if (problems.length === 0 && users.size === 0) problems.push({ file, message: "no user" });
  if (problems.length === 0) return users;
  throw new InvalidInputError(`Cannot read ${file}: ${problems[0]?.message}`, {
    problems,
    hint: 'Write each line with "htpasswd -nB USER"',
  });
}

function basicPair(authorization: string | null): { readonly user: string; readonly password: string } | undefined {
  if (authorization === null || authorization.length > maxHeaderLength) return undefined;
  const encoded = /^basic +([A-Za-z0-9+/]+={0,2}) *$/i.exec(authorization)?.[1];
  if (encoded === undefined) return undefined;
  const pair = Buffer.from(encoded, "base64").toString("utf8");
  const colon = pair.indexOf(":");
  return colon < 0 ? undefined : { user: pair.slice(0, colon), password: pair.slice(colon + 1) };
}
