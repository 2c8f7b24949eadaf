import { LibraryError } from "../core/error.ts";
import { printable, printableUrl } from "./printable.ts";

/** One link of a Link header: RFC 8288, section 3. */
export interface Link {
  /** As sent: relative or absolute. */
  readonly target: string;
  /** In lower case. */
  readonly relations: readonly string[];
}

const maxHeaderLength = 16 * 1024;
const maxLinks = 32;

/** All links of the header; reading ends where the grammar is broken, and nothing throws. */
export function parseLinks(header: string | null): readonly Link[] {
  const text = (header ?? "").slice(0, maxHeaderLength);
  const links: Link[] = [];
  const pattern = /[\s,]*<([^<>]*)>((?:\s*;\s*[^\s=;,"]+(?:\s*=\s*(?:"(?:[^"\\]|\\.)*"|[^\s;,"]*))?)*)/y;
  for (let match = pattern.exec(text); match && links.length < maxLinks; match = pattern.exec(text)) {
    const relation = /;\s*rel\s*=\s*(?:"([^"]*)"|([^\s;,"]+))/i.exec(match[2] ?? "");
    const relations = (relation?.[1] ?? relation?.[2] ?? "").toLowerCase().split(/\s+/).filter(Boolean);
    links.push({ target: match[1] ?? "", relations });
  }
  return links;
}

/**
 * The address of the next page of a listing that was answered from `base`; undefined where this is the last one.
 * Throws `insecure-refused` where it is not on the same origin: such a page is neither fetched nor left out silently.
 */
export function nextPage(headers: Headers, base: URL, purpose: string): URL | undefined {
  const next = parseLinks(headers.get("link")).find((link) => link.relations.includes("next"));
  if (!next) return undefined;
  const url = URL.parse(next.target, base.href);
  if (url === null || url.origin !== base.origin || url.username !== "" || url.password !== "") {
    const where = url === null || url.origin === "null" ? printable(next.target, 100) : printableUrl(url);
    throw new LibraryError(
      "insecure-refused",
      `Cannot ${purpose}: the next page is at ${where}, expected one on ${base.origin}`,
    );
  }
  url.hash = "";
  return url;
}
