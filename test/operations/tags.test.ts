import { describe, expect, test } from "bun:test";
import { parseLocation } from "../../src/oci/reference.ts";
import { referrersTag } from "../../src/oci/referrers-tag.ts";
import { tags } from "../../src/operations/tags.ts";
import { makeSample } from "../contract/sample.ts";
import { withPlaces } from "../support/image-places.ts";

describe("tags()", () => {
  test.each(["HOST/a/b", "oci:source"])("lists the tags of %s in order", async (written) => {
    await withPlaces({ faults: { pagedTags: 2 } }, async (world) => {
      const place = written.replace("HOST", world.registry.host);
      const { backend, index } = makeSample();
      for (const tag of ["2", "1.10", "latest", "1.9"]) await world.seed(`${place}:${tag}`, backend, index);
      const report = await tags(world.context, { location: parseLocation(place), all: false });
      expect(report).toEqual({ status: "ok", location: place, tags: ["1.10", "1.9", "2", "latest"], more: false });
    });
  });

  test("lists the name in an archive", async () => {
    await withPlaces({}, async (world) => {
      const { backend, image } = makeSample();
      await world.seed("oci-archive:a.tar:1", backend, image);
      const report = await tags(world.context, { location: parseLocation("oci-archive:a.tar"), all: false });
      expect(report.tags).toEqual(["1"]);
    });
  });

  test("hides the tags that carry referrers, unless all are asked for", async () => {
    await withPlaces({ faults: { noReferrersApi: true } }, async (world) => {
      const { backend, index, image } = makeSample();
      const signature = `${referrersTag(index.descriptor.digest)}.sig`;
      await world.seed(`${world.registry.host}/a/b:1`, backend, index);
      await world.seed(`${world.registry.host}/a/b:${signature}`, backend, image);
      const location = parseLocation(`${world.registry.host}/a/b`);
      expect((await tags(world.context, { location, all: false })).tags).toEqual(["1"]);
      const everything = (await tags(world.context, { location, all: true })).tags;
      expect(everything).toContain(referrersTag(index.descriptor.digest));
      expect(everything).toContain(signature);
    });
  });

  test.each([
    [1, ["1"], true],
    [2, ["1", "2"], false],
    [3, ["1", "2"], false],
  ])("with limit %p lists %p, more: %p", async (limit, listed, more) => {
    await withPlaces({}, async (world) => {
      const { backend, image } = makeSample();
      for (const tag of ["1", "2"]) await world.seed(`oci:source:${tag}`, backend, image);
      const report = await tags(world.context, { location: parseLocation("oci:source"), all: false, limit });
      expect(report).toMatchObject({ tags: listed, more });
    });
  });

  test("lists what a layout holds without a tag only where all is asked for, and names it where one must be chosen", async () => {
    await withPlaces({}, async (world) => {
      const { backend, index, image } = makeSample();
      await world.seed("oci:source:1", backend, index);
      await world.seed("oci:source", backend, image);
      const location = parseLocation("oci:source");
      const { digest } = image.descriptor;
      expect(await tags(world.context, { location, all: false })).toMatchObject({ tags: ["1"], more: false });
      const everything = await tags(world.context, { location, all: true });
      expect(everything.tags).toEqual(["1"]);
      expect(everything.untagged).toContain(digest);
      const first = await tags(world.context, { location, all: true, limit: 1 });
      expect(first).toMatchObject({ tags: ["1"], untagged: [], more: true });
    });
  });

  test("of a repository that is not there fails with not-found", async () => {
    await withPlaces({}, async (world) => {
      const location = parseLocation(`${world.registry.host}/none/here`);
      const listing = tags(world.context, { location, all: false });
      await expect(listing).rejects.toMatchObject({ code: "not-found", exitStatus: 3 });
    });
  });
});
