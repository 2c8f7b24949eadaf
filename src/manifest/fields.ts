import * as v from "valibot";
import { isDigest } from "../oci/digest.ts";
import { isExactPlatform, parsePlatform } from "../oci/platform.ts";
import { isRegistry, isRepository, isTag, parseLocation, parseReference } from "../oci/reference.ts";
import { readLicenseExpression } from "./spdx.ts";

/**
 * The message of a valibot check as `readIssue` takes it apart: what was expected, and the next step.
 * A message that starts with "=" replaces "is …, expected …" instead of ending it.
 */
export function expectation(expected: string, hint?: string): string {
  return hint === undefined ? expected : `${expected}\n${hint}`;
}

/** One line of text: at least one character that is not a space, at most 1024, no control characters. */
export const lineOfText = v.pipe(
  v.string(),
  v.regex(
    /^(?=.*\S)[^\p{Cc}\u2028\u2029]{1,1024}$/u,
    expectation("one line of text", "Write it on one line, without control characters"),
  ),
);

/** A description: 1 to 255 characters (code points) on one line, since it becomes a label. */
export const description = v.pipe(
  v.string(),
  v.check(
    (text) => /^(?=.*\S)[^\p{Cc}\u2028\u2029]{1,255}$/u.test(text),
    expectation("1 to 255 characters on one line", 'Shorten it, and fold long lines with ">-"'),
  ),
  v.metadata({ minLength: 1, maxLength: 255 }),
);

/** An absolute http or https URL without user and password: it becomes a label, which anyone may read. */
export const webUrl = v.pipe(
  v.string(),
  v.check(isWebUrl, expectation("an http or https URL", 'Write it as "https://example.org/path"')),
  v.check(
    (text) => !isWebUrl(text) || !hasUserinfo(text),
    expectation("=holds a user name or a password", "Remove what stands before the @: this becomes public"),
  ),
  v.metadata({ format: "uri", pattern: "^https?://" }),
);

/** A moment as RFC 3339 has it, with an offset. */
export const moment = v.pipe(
  v.string(),
  v.check(isMoment, expectation("a date and time with an offset (RFC 3339)", 'Write it as "2026-01-31T12:00:00Z"')),
  v.metadata({ format: "date-time" }),
);

/** A day, `2027-12-31`. */
export const day = v.pipe(
  v.string(),
  v.check(
    (text) => /^\d{4}-\d{2}-\d{2}$/.test(text) && isMoment(`${text}T00:00:00Z`),
    expectation("a date", 'Write it as "2027-12-31"'),
  ),
  v.metadata({ format: "date" }),
);

/** An e-mail address, as far as a form field checks one. */
export const emailAddress = v.pipe(
  v.string(),
  v.regex(
    /^[^\s@<>,;()]{1,64}@[^\s@<>,;()]{1,255}$/,
    expectation("an e-mail address", 'Write it as "name@example.org"'),
  ),
);

/** An SPDX licence expression; deprecated identifiers are allowed and reported by `validate` as warnings. */
export const licenseExpression = v.pipe(
  v.string(),
  v.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed) return;
    const { problem, hint } = readLicenseExpression(dataset.value);
    if (problem !== undefined)
      addIssue({ message: expectation(`=is ${JSON.stringify(dataset.value.slice(0, 120))}: ${problem}`, hint) });
  }),
);

/** A registry whose name cannot be taken for a part of a path: with a dot, a port, brackets, or `localhost`. */
export const registryHost = v.pipe(
  v.string(),
  v.check(isRegistry, expectation("the host of a registry", 'Write the host alone, as "registry.example.org:5000"')),
  v.check(
    (text) => !isRegistry(text) || /[.:]/.test(text) || text === "localhost",
    expectation(
      "a host with a dot or a port",
      "Add the domain or the port: other tools take a bare name for a user of docker.io",
    ),
  ),
);

/** One or more components of a repository's name. */
export const repositoryPart = v.pipe(
  v.string(),
  v.check(
    isRepository,
    expectation(
      "a part of a repository's name",
      "Use lower-case letters and digits, with . _ - between them and / between parts",
    ),
  ),
  v.metadata({ pattern: "^[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*)*$" }),
);

/** A tag, or with any of `/ : @` in it a full reference of a registry. */
export const buildTag = v.pipe(
  v.string(),
  v.rawCheck(({ dataset, addIssue }) => {
    const issue = dataset.typed ? tagIssue(dataset.value) : undefined;
    if (issue !== undefined) addIssue({ message: issue });
  }),
);

/** One platform, `os/arch[/variant][:osversion]`, without wildcards. */
export const platform = v.pipe(
  v.string(),
  v.check(
    (text) => attempt(() => isExactPlatform(parsePlatform(text))) === true,
    expectation("a platform", 'Write it as "linux/amd64" or "linux/arm/v7"'),
  ),
  v.metadata({
    pattern:
      "^[A-Za-z0-9][A-Za-z0-9_.-]*/[A-Za-z0-9][A-Za-z0-9_.-]*(?:/[A-Za-z0-9][A-Za-z0-9_.-]*)?(?::[A-Za-z0-9][A-Za-z0-9_.-]*)?$",
  }),
);

/** A reference of any place that `parseReference` reads. */
export const imageReference = v.pipe(
  v.string(),
  v.check(
    (text) => attempt(() => parseReference(text)) !== undefined,
    expectation("a reference", 'Write it as "host/repository:tag"'),
  ),
);

/** A place without tag or digest. */
export const location = v.pipe(
  v.string(),
  v.check(
    (text) => attempt(() => parseLocation(text)) !== undefined,
    expectation("a repository", 'Write it as "host/repository" or "oci:DIR"'),
  ),
);

/** A content digest. */
export const digest = v.pipe(
  v.string(),
  v.check(isDigest, expectation("a digest", "Write it as sha256: and 64 lower-case hexadecimal digits")),
);

function isWebUrl(text: string): boolean {
  return /^https?:\/\/[^\s\p{Cc}]+$/iu.test(text) && text.length <= 2048 && URL.canParse(text);
}

function hasUserinfo(text: string): boolean {
  const { username, password } = new URL(text);
  return username !== "" || password !== "";
}

function isMoment(text: string): boolean {
  const match =
    /^(\d{4})-(\d{2})-(\d{2})[Tt](\d{2}):(\d{2}):(\d{2})(?:\.\d{1,9})?(?:[Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)$/.exec(text);
  if (!match) return false;
  const [year = 0, month = 0, dayOfMonth = 0, hour = 0, minute = 0, second = 0] = match.slice(1, 7).map(Number);
  const daysInMonth = new Date(Date.UTC(year, month, 0)).getUTCDate();
  if (month < 1 || month > 12 || dayOfMonth < 1 || dayOfMonth > daysInMonth) return false;
  return hour < 24 && minute < 60 && second < 60;
}

function tagIssue(text: string): string | undefined {
  if (!/[/:@]/.test(text)) {
    if (isTag(text)) return undefined;
    return expectation("a tag", "Use letters, digits, _ . and -, at most 128, not starting with . or -");
  }
  const reference = attempt(() => parseReference(text));
  if (reference === undefined || reference.location.kind !== "registry") {
    return expectation("a tag or a full reference", 'Write "1.0", or in full "registry.example.org/project/image:1.0"');
  }
  if (reference.digest !== undefined) {
    return expectation("a name without a digest", "Remove what follows the @: the digest comes from the build");
  }
  return undefined;
}

/** What `make` gives; undefined where it refuses, since the caller says what was expected in the manifest's words. */
function attempt<T>(make: () => T): T | undefined {
  try {
    return make();
  } catch {
    return undefined;
  }
}
