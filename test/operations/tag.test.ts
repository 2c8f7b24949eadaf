import { describe, expect, test } from "bun:test";
import { parseReference } from "../../src/oci/reference.ts";
import { type TagInput, type TagReport, tag } from "../../src/operations/tag.ts";
import { makeSample } from "../contract/sample.ts";
import { type Places, withPlaces } from "../support/image-places.ts";

const places = ["HOST/a/b", "oci:source"];

async function run({ context }: Places, source: string, tags: readonly string[], force = false): Promise<TagReport> {
  const input: TagInput = { source: parseReference(source), tags, force };
  return tag(context, input);
}

/** An index under `1` and an image under `other`. */
async function seeded(
  written: string,
  body: (world: Places, place: string, digests: readonly string[]) => Promise<void>,
) {
  await withPlaces({}, async (world) => {
    const place = written.replace("HOST", world.registry.host);
    const { backend, index, image } = makeSample();
    await world.seed(`${place}:1`, backend, index);
    await world.seed(`${place}:other`, backend, image);
    await body(world, place, [index.descriptor.digest, image.descriptor.digest]);
  });
}

describe.each(places)("tag() in %s", (written) => {
  test("points further tags at the image, each once", async () => {
    await seeded(written, async (world, place, [digest]) => {
      const report = await run(world, `${place}:1`, ["1.10", "latest", "1.10"]);
      expect(report).toEqual({
        status: "ok",
        source: `${place}:1`,
        digest: digest as never,
        tags: [
          { tag: "1.10", before: undefined },
          { tag: "latest", before: undefined },
        ],
      });
      for (const name of ["1.10", "latest", "1"]) {
        expect((await world.resolved(`${place}:${name}`)).descriptor.digest as string).toBe(digest ?? "");
      }
    });
  });

  test("takes a digest as source", async () => {
    await seeded(written, async (world, place, [digest]) => {
      await run(world, `${place}@${digest}`, ["new"]);
      expect((await world.resolved(`${place}:new`)).descriptor.digest as string).toBe(digest ?? "");
    });
  });

  test("refuses to move a tag, with exit 1, and sets none of the others", async () => {
    await seeded(written, async (world, place, [, other]) => {
      const tagging = run(world, `${place}:1`, ["new", "other"]);
      await expect(tagging).rejects.toMatchObject({ code: "tag-moved", exitStatus: 1, hint: expect.any(String) });
      expect((await world.resolved(`${place}:other`)).descriptor.digest as string).toBe(other ?? "");
      await expect(world.resolved(`${place}:new`)).rejects.toMatchObject({ code: "not-found" });
    });
  });

  test("moves it with force, and says where it was", async () => {
    await seeded(written, async (world, place, [digest, other]) => {
      const report = await run(world, `${place}:1`, ["other"], true);
      expect(report.tags).toEqual([{ tag: "other", before: other as never }]);
      expect((await world.resolved(`${place}:other`)).descriptor.digest as string).toBe(digest ?? "");
    });
  });

  test("is content with a tag that points there already, and writes nothing", async () => {
    await seeded(written, async (world, place, [digest]) => {
      world.registry.requests.length = 0;
      expect((await run(world, `${place}:1`, ["1"])).tags).toEqual([{ tag: "1", before: digest as never }]);
      expect(world.registry.requests.filter(({ method }) => method === "PUT")).toEqual([]);
    });
  });

  test("fails with not-found where there is no such source, and sets no tag", async () => {
    await seeded(written, async (world, place) => {
      await expect(run(world, `${place}:absent`, ["new"])).rejects.toMatchObject({ code: "not-found", exitStatus: 3 });
      await expect(world.resolved(`${place}:new`)).rejects.toMatchObject({ code: "not-found" });
    });
  });

  test.each(["a/b", "", "-a", "a b", "registry.example.org/a:1", "x".repeat(129), "ä"])(
    "refuses the tag %p with exit 2 and sets none of the others",
    async (name) => {
      await seeded(written, async (world, place) => {
        const tagging = run(world, `${place}:1`, ["new", name]);
        await expect(tagging).rejects.toMatchObject({ code: "invalid-reference", exitStatus: 2 });
        await expect(world.resolved(`${place}:new`)).rejects.toMatchObject({ code: "not-found" });
      });
    },
  );
});

test("tag() cannot change an archive", async () => {
  await withPlaces({}, async (world) => {
    const { backend, image } = makeSample();
    await world.seed("oci-archive:a.tar:1", backend, image);
    await expect(run(world, "oci-archive:a.tar:1", ["2"])).rejects.toMatchObject({
      code: "unsupported",
      exitStatus: 3,
    });
  });
});

test.each([false, true])(
  "tag() with force %p keeps what another writer tagged meanwhile, or replaces it",
  async (force) => {
    await seeded("oci:source", async (world, place, [digest, other]) => {
      // The other writer comes as soon as the lock is asked for
      const { lock } = world.context;
      const racing: typeof lock = {
        exclusive: async (path, io, body, timeoutMs) => {
          await run(world, `${place}:other`, ["raced"]);
          return lock.exclusive(path, io, body, timeoutMs);
        },
      };
      const tagging = run({ ...world, context: { ...world.context, lock: racing } }, `${place}:1`, ["raced"], force);
      if (force) await tagging;
      else await expect(tagging).rejects.toMatchObject({ code: "tag-moved", exitStatus: 1 });
      expect((await world.resolved(`${place}:raced`)).descriptor.digest as string).toBe((force ? digest : other) ?? "");
    });
  },
);
