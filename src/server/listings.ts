import type { ServerResponse } from "../core/ports.ts";
import { type Exchange, existing } from "./distribution.ts";
import { jsonResponse, refusal } from "./errors.ts";

/** The tags in the order of their code points, a page of them where `n` asks: distribution-spec v1.1.1, "Listing Tags". */
export async function getTags(
  { query, storage, io }: Exchange,
  route: { readonly repository: string },
): Promise<ServerResponse> {
  const tags = await existing(storage, route.repository).tags(io);
  const page = pageOf(tags, query, undefined);
  return jsonResponse(
    200,
    { name: route.repository, tags: page.items },
    next(`/v2/${route.repository}/tags/list`, query, page),
  );
}

const catalogPage = 1000;

/** The repositories by name, at most 1000 at a time: Docker registry API, "Listing Repositories". */
export async function getCatalog({ query, storage }: Exchange): Promise<ServerResponse> {
  const page = pageOf(await storage.names(), query, catalogPage);
  return jsonResponse(200, { repositories: page.items }, next("/v2/_catalog", query, page));
}

interface Page {
  readonly items: readonly string[];
  readonly more: boolean;
}

function pageOf(sorted: readonly string[], query: URLSearchParams, most: number | undefined): Page {
  const last = query.get("last");
  const rest = last === null || last === "" ? sorted : sorted.slice(firstAfter(sorted, last));
  const asked = query.get("n");
  if (asked !== null && !/^[0-9]{1,9}$/.test(asked)) {
    throw refusal(400, "UNSUPPORTED", "n is not a number of entries", { detail: asked.slice(0, 100) });
  }
  const count = Math.min(asked === null ? rest.length : Number(asked), most ?? rest.length);
  return { items: rest.slice(0, count), more: count > 0 && count < rest.length };
}

/** The index of the first item behind `last`, which need not be among them. */
function firstAfter(sorted: readonly string[], last: string): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] ?? "") <= last) low = middle + 1;
    else high = middle;
  }
  return low;
}

function next(path: string, query: URLSearchParams, page: Page): Readonly<Record<string, string>> {
  const last = page.items.at(-1);
  if (!page.more || last === undefined) return {};
  const following = new URLSearchParams(query);
  following.set("n", query.get("n") ?? String(page.items.length));
  following.set("last", last);
  return { link: `<${path}?${following}>; rel="next"` };
}
