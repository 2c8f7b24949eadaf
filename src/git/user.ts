import { readFile } from "node:fs/promises";
import { join } from "node:path";

/** Who writes commits here, as far as it is known. */
export interface PartialAuthor {
  readonly name?: string;
  readonly email?: string;
}

/** Where the user's own git configuration lies. */
export interface UserPlace {
  /** The home directory. */
  readonly home: string;
  /** `XDG_CONFIG_HOME`; default `.config` below `home`. */
  readonly configHome?: string | undefined;
}

/**
 * The user's `user.name` and `user.email` from `~/.gitconfig` and, for what it leaves out, `$XDG_CONFIG_HOME/git/config`:
 * git-config, "FILES". Included files and conditions are not followed. A file that cannot be read says nothing.
 */
export async function userAuthor({ home, configHome }: UserPlace): Promise<PartialAuthor> {
  const files = [join(configHome || join(home, ".config"), "git", "config"), join(home, ".gitconfig")];
  const found = await Promise.all(files.map(readAuthor));
  return Object.assign({}, ...found);
}

async function readAuthor(file: string): Promise<PartialAuthor> {
  try {
    return parseAuthor(await readFile(file, "utf8"));
  } catch {
    // The author is a default that the user may change, so a missing or unreadable file is no error
    return {};
  }
}

/** The last `user.name` and `user.email` in the text of a git configuration file: git-config, "Syntax". */
export function parseAuthor(text: string): PartialAuthor {
  let section = "";
  let name: string | undefined;
  let email: string | undefined;
  // A backslash at the end of a line joins it with the next
  for (const line of text.replace(/\\\r?\n/g, "").split(/\r?\n/)) {
    const header = /^\s*\[\s*([A-Za-z0-9.-]+)\s*("(?:[^"\\]|\\.)*")?\s*\]/.exec(line);
    if (header) section = `${header[1]}${header[2] ?? ""}`.toLowerCase();
    const variable = /^\s*([A-Za-z][A-Za-z0-9-]*)\s*=(.*)$/.exec(header ? line.slice(header[0].length) : line);
    if (!variable || section !== "user") continue;
    const value = unquote(variable[2] ?? "");
    if (variable[1]?.toLowerCase() === "name") name = value;
    if (variable[1]?.toLowerCase() === "email") email = value;
  }
  return { ...(name ? { name } : {}), ...(email ? { email } : {}) };
}

/** A value without its quotes, escapes and comment. */
function unquote(text: string): string {
  let value = "";
  let isInside = false;
  let kept = 0;
  for (let at = 0; at < text.length; at++) {
    const character = text[at] ?? "";
    if (character === "\\") {
      const next = text[++at] ?? "";
      value += next === "n" ? "\n" : next === "t" ? "\t" : next;
      kept = value.length;
    } else if (character === '"') {
      isInside = !isInside;
      kept = value.length;
    } else if (!isInside && (character === "#" || character === ";")) {
      break;
    } else {
      if (value === "" && !isInside && /\s/.test(character)) continue;
      value += character;
      if (isInside || !/\s/.test(character)) kept = value.length;
    }
  }
  return value.slice(0, kept);
}
