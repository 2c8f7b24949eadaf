import { UsageError } from "./error.ts";

/**
 * The words of a line as a POSIX shell divides it: single and double quotes and backslashes are taken away, nothing is
 * expanded, nothing is run, and a `#` begins no comment. Throws `usage` where a quote has no end; `name` is what the
 * message calls the line.
 */
export function shellWords(line: string, name: string): readonly string[] {
  const words: string[] = [];
  let word: string | undefined;
  for (let at = 0; at < line.length; at++) {
    const character = line[at] ?? "";
    if (/[ \t\r\n]/.test(character)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (character === "'") {
      const end = line.indexOf("'", at + 1);
      if (end < 0) throw unfinished(name, "a single quote has no end");
      word = (word ?? "") + line.slice(at + 1, end);
      at = end;
    } else if (character === '"') {
      const quoted = doubleQuoted(line, at + 1, name);
      word = (word ?? "") + quoted.text;
      at = quoted.end;
    } else if (character === "\\") {
      at++;
      if (at >= line.length) throw unfinished(name, "it ends with a backslash");
      // A backslash before a line end joins the lines
      if (line[at] !== "\n") word = (word ?? "") + line[at];
    } else {
      word = (word ?? "") + character;
    }
  }
  if (word !== undefined) words.push(word);
  return words;
}

/** Inside double quotes a backslash is special before `$`, backtick, `"`, backslash and a line end only. */
function doubleQuoted(line: string, start: number, name: string): { readonly text: string; readonly end: number } {
  let text = "";
  for (let at = start; at < line.length; at++) {
    const character = line[at] ?? "";
    if (character === '"') return { text, end: at };
    const next = line[at + 1];
    if (character === "\\" && next !== undefined && '$`"\\\n'.includes(next)) {
      at++;
      if (next !== "\n") text += next;
    } else {
      text += character;
    }
  }
  throw unfinished(name, "a double quote has no end");
}

function unfinished(name: string, problem: string): UsageError {
  return new UsageError(`Cannot divide ${name} into words: ${problem}`, {
    hint: "Close the quote, or escape it with \\",
  });
}
