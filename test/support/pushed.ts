import { expect } from "bun:test";
import type { CopyReport } from "../../src/operations/copy.ts";
import type { TagsReport } from "../../src/operations/tags.ts";
import { makeSample, type SampleName } from "./samples.ts";
import { type Answer, Refused, type VerbRegistry } from "./verb-registry.ts";

/** The part that the reports of many verbs share. */
export interface Resolved {
  readonly digest: string;
}

/** A sample's place in the registry. */
export interface Pushed {
  readonly reference: string;
  readonly repository: string;
  readonly digest: string;
}

/** The sample is under the tag 1 of a repository after; where it was refused, there is no such tag. */
export async function push(on: VerbRegistry, samples: string, sample: SampleName, repository: string): Promise<Pushed> {
  const place = `${on.host}/verbs/${repository}`;
  const { digest } = makeSample(sample).root;
  const copying = on.library<CopyReport>("copy", `oci:${samples}:${sample}`, `${place}:1`);
  const { result } = await copying.catch(async (error: unknown) => {
    expect(await refusalOf(on.library("resolve", `${place}:1`))).toBe("not-found");
    throw error;
  });
  expect(result.images.map((image) => image.digest)).toEqual([digest]);
  expect(await digestAt(on, `${place}:1`)).toBe(digest);
  return { reference: `${place}:1`, repository: place, digest };
}

/** What the reference names now. */
export async function digestAt(on: VerbRegistry, reference: string): Promise<string> {
  return (await on.library<Resolved>("resolve", reference)).result.digest;
}

/** The tags of a repository but those of referrers. */
export async function tagsAt(on: VerbRegistry, repository: string): Promise<readonly string[]> {
  return (await on.library<TagsReport>("tags", repository)).result.tags;
}

/** The code with which it is refused; fails where it is not. */
export async function refusalOf(work: Promise<Answer<unknown>>): Promise<string> {
  const failure = await work.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (failure instanceof Refused) return failure.code;
  throw failure ?? new Error("it was not refused");
}
