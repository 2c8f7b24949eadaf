/** One challenge of a WWW-Authenticate header: RFC 9110, section 11.3. */
export interface Challenge {
  /** In lower case: `basic`, `bearer`. */
  readonly scheme: string;
  /** Names in lower case; of equal names the first counts. */
  readonly parameters: ReadonlyMap<string, string>;
}

const maxHeaderLength = 16 * 1024;
const maxChallenges = 16;
const maxParameters = 32;

/**
 * All challenges of the header, in order; several header lines come joined by commas. Whatever does not follow the
 * grammar ends the reading: what was read before counts, and nothing throws. At most 16 KiB are looked at.
 */
export function parseChallenges(header: string | null | undefined): readonly Challenge[] {
  if (!header) return [];
  return new Reader(header.slice(0, maxHeaderLength)).challenges();
}

const tokenPattern = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/y;
const spacePattern = /[ \t]*/y;
const separatorPattern = /[ \t,]*/y;
// qdtext and quoted-pair; control characters end the reading, so that none reaches a request
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is left out
const quotedPattern = /"((?:[^"\\\u0000-\u0008\u000a-\u001f\u007f]|\\[^\u0000-\u0008\u000a-\u001f\u007f])*)"/y;
const token68Pattern = /[A-Za-z0-9._~+/-]+=*(?=[ \t]*(?:,|$))/y;

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  challenges(): readonly Challenge[] {
    const found: Challenge[] = [];
    while (found.length < maxChallenges) {
      this.#match(separatorPattern);
      const scheme = this.#match(tokenPattern);
      if (scheme === undefined) break;
      const space = this.#match(spacePattern);
      const alone = this.#at >= this.#text.length || this.#text[this.#at] === ",";
      if (!alone && space === "") break;
      const parameters = new Map<string, string>();
      found.push({ scheme: scheme.toLowerCase(), parameters });
      if (alone || this.#match(token68Pattern) !== undefined) continue;
      if (!this.#parameters(parameters)) break;
    }
    return found;
  }

  /** Reads parameters up to the next challenge; false where the grammar is broken. */
  #parameters(parameters: Map<string, string>): boolean {
    for (let first = true; parameters.size < maxParameters; first = false) {
      const separator = this.#match(separatorPattern) ?? "";
      if (this.#at >= this.#text.length) return true;
      if (!first && !separator.includes(",")) return false;
      const start = this.#at;
      const name = this.#match(tokenPattern);
      const value = name === undefined ? undefined : this.#assigned();
      if (name === undefined || value === undefined) {
        this.#at = start;
        return !first;
      }
      if (!parameters.has(name.toLowerCase())) parameters.set(name.toLowerCase(), value);
    }
    return false;
  }

  #assigned(): string | undefined {
    this.#match(spacePattern);
    if (this.#text[this.#at] !== "=") return undefined;
    this.#at++;
    this.#match(spacePattern);
    return this.#value();
  }

  #value(): string | undefined {
    if (this.#text[this.#at] !== '"') return this.#match(tokenPattern);
    const quoted = this.#match(quotedPattern);
    return quoted?.slice(1, -1).replace(/\\(.)/g, "$1");
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text)?.[0];
    if (match !== undefined) this.#at += match.length;
    return match;
  }
}
