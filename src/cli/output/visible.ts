/**
 * Text from outside, safe to print: control characters except line end and tab, and the marks that reorder text, are
 * shown as escapes such as `\x1b`. With `keepStyle`, the sequences that TextStyle writes stay as they are.
 */
export function visible(text: string, options: { readonly keepStyle?: boolean } = {}): string {
  return text.replace(options.keepStyle === true ? unsafeBesidesStyle : unsafe, (found) =>
    found.length > 1 ? found : escaped(found),
  );
}

/** `visible` on one line: line ends and tabs are escaped too. */
export function visibleLine(text: string): string {
  return visible(text).replace(/[\n\t]/g, (found) => (found === "\n" ? "\\n" : "\\t"));
}

/** Text without passwords of URLs and without the query parameters that sign them: the last line of defence. */
export function redacted(text: string): string {
  return text
    .replace(/\b((?:https?|wss?|ftp|ssh|git(?:\+[a-z]+)?|socks[0-9a-z]*):\/\/)[^\s/?#"'<>]*@/gi, "$1[redacted]@")
    .replace(
      /([?&](?:X-Amz-[A-Za-z-]+|X-Goog-[A-Za-z-]+|sig|signature|access_token|token)=)[^&\s"'<>]+/gi,
      "$1[redacted]",
    );
}

// C0 without tab and line feed, DEL, C1, and the bidirectional controls
const characters = "[\\u0000-\\u0008\\u000b-\\u001f\\u007f-\\u009f\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u2069]";
const unsafe = new RegExp(characters, "g");
const unsafeBesidesStyle = new RegExp(`\\u001b\\[(?:1|2|22|31|32|33|39)m|${characters}`, "g");

function escaped(character: string): string {
  const code = character.charCodeAt(0);
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16).padStart(4, "0")}`;
}
