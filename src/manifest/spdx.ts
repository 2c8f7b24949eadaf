import deprecatedIdentifiers from "spdx-license-ids/deprecated.json" with { type: "json" };
import currentIdentifiers from "spdx-license-ids/index.json" with { type: "json" };
import { meantLicenses } from "./license-names.ts";

/** What an SPDX licence expression turned out to be. */
export interface LicenseExpression {
  /** What is wrong with it, as `"MTI" is not a licence of the SPDX list`; absent where it is well-formed. */
  readonly problem?: string;
  readonly hint?: string;
  /** Identifiers that the SPDX list has deprecated, in order; they are allowed. */
  readonly deprecated: readonly string[];
}

/**
 * Reads an expression as SPDX specification 2.3, Annex D, has it: identifiers of the licence list (any case),
 * `LicenseRef-…`, `+`, `WITH`, `AND`, `OR` and brackets. The names of exceptions are held to the grammar only.
 */
export function readLicenseExpression(text: string): LicenseExpression {
  const reader = new Reader(text);
  const failure = reader.read();
  // Names of several words, as "Apache License 2.0", are read as several licences
  const meant = failure === undefined ? undefined : hintOf(meantLicenses(text));
  return { ...failure, ...(meant === undefined ? {} : { hint: meant }), deprecated: reader.deprecated };
}

const current = new Map(currentIdentifiers.map((identifier) => [identifier.toLowerCase(), identifier]));
const deprecated = new Map(deprecatedIdentifiers.map((identifier) => [identifier.toLowerCase(), identifier]));
const referencePattern = /^(?:DocumentRef-[A-Za-z0-9.-]+:)?LicenseRef-[A-Za-z0-9.-]+$/;
const identifierPattern = /^[A-Za-z0-9.-]+\+?$/;
const operators: ReadonlySet<string> = new Set(["AND", "OR", "WITH"]);
const maxDepth = 32;

interface Failure {
  readonly problem: string;
  readonly hint?: string;
}

class Reader {
  readonly deprecated: string[] = [];
  readonly #tokens: readonly string[];
  #at = 0;

  constructor(text: string) {
    this.#tokens = text.match(/[()]|[^\s()]+/g) ?? [];
  }

  read(): Failure | undefined {
    if (this.#tokens.length === 0)
      return { problem: "the licence expression is empty", hint: 'Write it as "Apache-2.0"' };
    const failure = this.#expression(0);
    if (failure) return failure;
    const rest = this.#tokens[this.#at];
    if (rest === undefined) return undefined;
    return operators.has(rest.toUpperCase())
      ? this.#operator(rest)
      : {
          problem: `${quote(rest)} is not expected there`,
          hint: 'Join licences with AND or OR, as "MIT OR Apache-2.0"',
        };
  }

  #expression(depth: number): Failure | undefined {
    if (depth > maxDepth) return { problem: `brackets are nested deeper than ${maxDepth} levels` };
    for (;;) {
      const failure = this.#simple(depth);
      if (failure) return failure;
      const next = this.#tokens[this.#at];
      if (next !== "AND" && next !== "OR") return undefined;
      this.#at++;
    }
  }

  #simple(depth: number): Failure | undefined {
    const token = this.#tokens[this.#at];
    if (token === undefined) return { problem: "the licence expression ends where a licence is expected" };
    this.#at++;
    if (token === "(") {
      const failure = this.#expression(depth + 1);
      if (failure) return failure;
      if (this.#tokens[this.#at] !== ")") return { problem: "a bracket is not closed" };
      this.#at++;
      return undefined;
    }
    const failure = this.#license(token);
    if (failure) return failure;
    if (this.#tokens[this.#at] !== "WITH") return undefined;
    const exception = this.#tokens[this.#at + 1];
    if (exception === undefined || !/^[A-Za-z0-9.-]+$/.test(exception) || operators.has(exception)) {
      return { problem: "no exception follows WITH", hint: 'Write it as "GPL-2.0-only WITH Classpath-exception-2.0"' };
    }
    this.#at += 2;
    return undefined;
  }

  #license(token: string): Failure | undefined {
    if (referencePattern.test(token)) return undefined;
    if (operators.has(token)) return { problem: `${token} stands where a licence is expected` };
    const whole = token.toLowerCase();
    const name = whole.endsWith("+") ? whole.slice(0, -1) : whole;
    // A plus behind a deprecated identifier says "or later", as GPL-2.0+
    const old = deprecated.get(name);
    if (old !== undefined) {
      this.deprecated.push(old);
      return undefined;
    }
    if (identifierPattern.test(token) && current.has(name)) return undefined;
    return {
      problem: `${quote(token)} is not a licence of the SPDX list`,
      hint: hintOf(meantLicenses(token)) ?? "Take an identifier of spdx.org/licenses, or LicenseRef-NAME",
    };
  }

  #operator(token: string): Failure {
    return {
      problem: `${quote(token)} is not expected there`,
      hint: `Write ${token.toUpperCase()} between two licences`,
    };
  }
}

function hintOf(identifiers: readonly string[]): string | undefined {
  return identifiers.length === 0 ? undefined : `Write ${identifiers.map(quote).join(" or ")}`;
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 80));
}
