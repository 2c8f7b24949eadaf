import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { startTestRegistry, type TestRegistry } from "../support/registry.ts";
import { codes, repositoryRequests } from "../support/registry-requests.ts";

const tags = ["10", "9", "A", "_x", "a", "b.1", "b-1", "z"].sort();
let registry: TestRegistry;
beforeAll(async () => {
  registry = await startTestRegistry();
  const requests = repositoryRequests(registry.url, "app");
  const image = await requests.pushImage(1);
  const query = [...tags].reverse().map((tag) => `tag=${tag}`);
  await requests.putManifest(image, `${image.descriptor.digest}?${query.join("&")}`);
  await repositoryRequests(registry.url, "app/nested").pushImage(2, { tag: "t" });
  await repositoryRequests(registry.url, "other").pushImage(3, { tag: "t" });
});
afterAll(() => registry.stop());

interface Page {
  readonly items: readonly string[];
  readonly link: string | null;
}

async function list(path: string): Promise<Page> {
  const response = await fetch(`${registry.url}${path}`);
  expect([response.status, response.headers.get("content-type")]).toEqual([200, "application/json"]);
  const body = (await response.json()) as { name?: string; tags?: string[]; repositories?: string[] };
  return { items: body.tags ?? body.repositories ?? [], link: response.headers.get("link") };
}

async function follow(path: string): Promise<readonly (readonly string[])[]> {
  const pages: (readonly string[])[] = [];
  for (let next: string | undefined = path; next !== undefined; ) {
    const page: Page = await list(next);
    pages.push(page.items);
    next = page.link === null ? undefined : /^<([^>]+)>; rel="next"$/.exec(page.link)?.[1];
    expect(pages.length).toBeLessThan(20);
  }
  return pages;
}

describe("listing tags", () => {
  test("gives all in the order of their code points, without a Link", async () => {
    expect(await list("/v2/app/tags/list")).toEqual({ items: tags, link: null });
  });

  test("n gives pages whose Link leads to the next", async () => {
    expect(await follow("/v2/app/tags/list?n=3")).toEqual([tags.slice(0, 3), tags.slice(3, 6), tags.slice(6)]);
    expect((await list("/v2/app/tags/list?n=8")).link).toBeNull();
    expect((await list("/v2/app/tags/list?n=100")).items).toEqual(tags);
  });

  test("n=0 gives an empty list without a Link", async () => {
    expect(await list("/v2/app/tags/list?n=0")).toEqual({ items: [], link: null });
  });

  test("last gives what follows it, with and without n, also where it is no tag", async () => {
    const at = tags.indexOf("a");
    expect((await list("/v2/app/tags/list?last=a")).items).toEqual(tags.slice(at + 1));
    expect((await list("/v2/app/tags/list?n=2&last=a")).items).toEqual(tags.slice(at + 1, at + 3));
    expect((await list("/v2/app/tags/list?last=aa")).items).toEqual(tags.slice(at + 1));
    expect((await list("/v2/app/tags/list?last=zz")).items).toEqual([]);
  });

  test.each(["-1", "x", "1e3", ""])("n=%p is 400", async (n) => {
    expect((await fetch(`${registry.url}/v2/app/tags/list?n=${n}`)).status).toBe(400);
  });

  test("an unknown repository is 404 NAME_UNKNOWN", async () => {
    const response = await fetch(`${registry.url}/v2/unknown/tags/list`);
    expect([response.status, await codes(response)]).toEqual([404, ["NAME_UNKNOWN"]]);
  });
});

describe("the catalog", () => {
  test("lists repositories, nested ones too, in pages", async () => {
    expect((await list("/v2/_catalog")).items).toEqual(["app", "app/nested", "other"]);
    expect(await follow("/v2/_catalog?n=2")).toEqual([["app", "app/nested"], ["other"]]);
  });
});
