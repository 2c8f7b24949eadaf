/**
 * Text from outside as it may be shown: one line without terminal sequences, control characters and marks that turn the
 * writing direction, without the query of any URL (it may be signed), at most `limit` characters.
 */
export function printable(text: string, limit: number): string {
  const bounded = text.slice(0, limit * 8);
  const plain = bounded
    .replace(terminalSequence, "")
    .replace(whiteSpace, " ")
    .replace(unprintable, "")
    .replace(urlQuery, "$1?…")
    .trim();
  return plain.length > limit ? `${plain.slice(0, limit).toWellFormed()}…` : plain.toWellFormed();
}

/** A request as messages show it: no userinfo, no query, no fragment. */
export function printableUrl(url: URL): string {
  return printable(`${url.origin}${url.pathname}`, 500);
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const terminalSequence = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[@-Z\\-_])/g;
const whiteSpace = /[\t\n\r\u2028\u2029]+/g;
const unprintable =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]/g;
const urlQuery = /(https?:\/\/[^\s?"'<>]+)\?[^\s"'<>]*/gi;
