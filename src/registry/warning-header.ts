import { printable } from "./printable.ts";

const maxTextLength = 4096;
const maxWarnings = 16;

/**
 * The texts of all `Warning: 299` values, shown safely and without repetitions: distribution-spec v1.1.1, "Warnings".
 * Other codes, and what does not follow the grammar of RFC 7234, section 5.5, are left out.
 */
export function parseWarnings(header: string | null): readonly string[] {
  const found = new Set<string>();
  const pattern = /(?:^|,)\s*299 +[^\s",]+ +"((?:[^"\\]|\\.)*)"/g;
  for (const match of (header ?? "").slice(0, maxTextLength * 4).matchAll(pattern)) {
    const text = printable((match[1] ?? "").replace(/\\(.)/g, "$1"), maxTextLength);
    if (text !== "") found.add(text);
    if (found.size >= maxWarnings) break;
  }
  return [...found];
}
