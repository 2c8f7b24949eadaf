import * as v from "valibot";
import type { Io } from "../core/content.ts";
import { LibraryError } from "../core/error.ts";
import { parseJson } from "../core/json.ts";
import { isTag } from "../oci/reference.ts";
import type { RegistryClient } from "./client.ts";
import { nextPage } from "./link.ts";
import { printable } from "./printable.ts";

const pageSize = 1000;
const maxPages = 10_000;
const maxTags = 1_000_000;
/** A registry without paging sends everything at once. */
const maxPageBytes = 32 * 1024 * 1024;
const pageSchema = v.looseObject({ tags: v.optional(v.nullable(v.array(v.string()))) });

/**
 * All tags of the repository, each once, in code point order. Pages are followed by `Link`, or, where a full page came
 * without one, by asking for what follows its last tag. Throws `not-found` where there is no such repository,
 * `limit-exceeded` beyond a million tags. distribution-spec v1.1.1, "Listing Tags".
 */
export async function listTags(client: RegistryClient, scopes: readonly string[], io: Io): Promise<readonly string[]> {
  const purpose = `list the tags of ${client.label()}`;
  const tags = new Set<string>();
  const visited = new Set<string>();
  let target: string | URL | undefined = `${client.tagsPath()}?n=${pageSize}`;
  for (let pages = 0; target !== undefined; pages++) {
    if (pages >= maxPages || tags.size > maxTags) {
      throw new LibraryError("limit-exceeded", `Cannot ${purpose}: more than ${maxTags} tags or ${maxPages} pages`);
    }
    const response = await client.send({ method: "GET", target, scopes, purpose, accept: [200] }, io);
    const page = readPage(await response.body.bytes(maxPageBytes), purpose);
    const before = tags.size;
    for (const tag of page) {
      if (isTag(tag)) tags.add(tag);
      else warnOfName(client, tag, io);
    }
    visited.add(response.url.href);
    const next = nextPage(response.headers, response.url, purpose) ?? following(client, page, tags.size > before);
    const href: string | undefined = typeof next === "string" ? new URL(next, response.url).href : next?.href;
    if (href !== undefined && visited.has(href)) {
      throw new LibraryError("registry-error", `Cannot ${purpose}: its pages lead back to the same page`);
    }
    target = next;
  }
  return [...tags].sort((a, b) => (a < b ? -1 : 1));
}

/** crane's registry (0.21.9) cuts a page off without a Link; others ignore `n` and repeat themselves. */
function following(client: RegistryClient, page: readonly string[], grew: boolean): string | undefined {
  const last = page.at(-1);
  if (page.length !== pageSize || !grew || last === undefined || !isTag(last)) return undefined;
  return `${client.tagsPath()}?n=${pageSize}&last=${encodeURIComponent(last)}`;
}

function readPage(bytes: Uint8Array, purpose: string): readonly string[] {
  const parsed = v.safeParse(pageSchema, parseJson(bytes, "the list of tags", { maxBytes: maxPageBytes }));
  if (parsed.success) return parsed.output.tags ?? [];
  throw new LibraryError("malformed-content", `Cannot ${purpose}: the answer is no list of tags`);
}

function warnOfName(client: RegistryClient, tag: string, io: Io): void {
  const shown = JSON.stringify(printable(tag, 128));
  client.session.warnOnce("invalid-tag", `${client.label()} lists ${shown}, which is no tag and is left out`, io);
}
