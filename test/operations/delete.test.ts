import { describe, expect, test } from "bun:test";
import { rm } from "node:fs/promises";
import { parseExplicitReference } from "../../src/oci/reference.ts";
import { type DeleteInput, type DeleteReport, deleteReference } from "../../src/operations/delete.ts";
import { makeSample } from "../contract/sample.ts";
import { type Places, type PlacesWorld, withPlaces } from "../support/image-places.ts";

async function run({ context }: Places, reference: string, choices: Partial<DeleteInput> = {}): Promise<DeleteReport> {
  const input = { reference: parseExplicitReference(reference), dryRun: false, yes: true, ...choices };
  return deleteReference(context, input);
}

/** An index under `1` and `also`, an image under `other`. */
async function seeded(
  written: string,
  body: (world: Places, place: string, digest: string) => Promise<void>,
  given: PlacesWorld = {},
): Promise<void> {
  await withPlaces(given, async (world) => {
    const place = written.replace("HOST", world.registry.host);
    const { backend, index, image } = makeSample();
    await world.seed(`${place}:1`, backend, index);
    await world.seed(`${place}:also`, backend, index);
    await world.seed(`${place}:other`, backend, image);
    await body(world, place, index.descriptor.digest);
  });
}

async function isThere({ resolved }: Places, reference: string): Promise<boolean> {
  return resolved(reference).then(
    () => true,
    (error) => {
      expect(error).toMatchObject({ code: "not-found" });
      return false;
    },
  );
}

describe.each(["HOST/a/b", "oci:source"])("deleteReference() in %s", (written) => {
  test("deletes a tag alone and leaves the image and its other tags", async () => {
    await seeded(written, async (world, place, digest) => {
      const report = await run(world, `${place}:1`);
      expect(report).toEqual({
        status: "ok",
        reference: `${place}:1`,
        digest: digest as never,
        tags: ["1"],
        deleted: true,
      });
      expect(await isThere(world, `${place}:1`)).toBe(false);
      for (const left of [":also", ":other", `@${digest}`]) expect(await isThere(world, place + left)).toBe(true);
    });
  });

  test("deletes a manifest with every tag that points at it, and lists them", async () => {
    await seeded(written, async (world, place, digest) => {
      expect(await run(world, `${place}@${digest}`)).toMatchObject({ digest, tags: ["1", "also"], deleted: true });
      for (const gone of [":1", ":also", `@${digest}`]) expect(await isThere(world, place + gone)).toBe(false);
      expect(await isThere(world, `${place}:other`)).toBe(true);
    });
  });

  test.each([":1", "@DIGEST"])("in a dry run of %s says what would go, and deletes nothing", async (what) => {
    await seeded(written, async (world, place, digest) => {
      world.registry.requests.length = 0;
      const report = await run(world, place + what.replace("DIGEST", digest), { dryRun: true, yes: false });
      expect(report).toMatchObject({
        status: "ok",
        deleted: false,
        digest,
        tags: what === ":1" ? ["1"] : ["1", "also"],
      });
      expect(world.registry.requests.filter(({ method }) => method === "DELETE")).toEqual([]);
      for (const left of [":1", ":also", `@${digest}`]) expect(await isThere(world, place + left)).toBe(true);
    });
  });

  test("refuses with exit 2 where nobody confirms it", async () => {
    await seeded(written, async (world, place) => {
      const deleting = run(world, `${place}:1`, { yes: false });
      await expect(deleting).rejects.toMatchObject({
        code: "usage",
        exitStatus: 2,
        hint: expect.stringContaining("--yes"),
      });
      expect(await isThere(world, `${place}:1`)).toBe(true);
    });
  });

  test("refuses with exit 2 where neither tag nor digest is named", async () => {
    await seeded(written, async (world, place) => {
      await expect(run(world, place)).rejects.toMatchObject({ code: "usage", exitStatus: 2 });
    });
  });

  test("fails with not-found where there is none", async () => {
    await seeded(written, async (world, place) => {
      await expect(run(world, `${place}:absent`)).rejects.toMatchObject({ code: "not-found", exitStatus: 3 });
      const absent = `${place}@sha256:${"1".repeat(64)}`;
      await expect(run(world, absent)).rejects.toMatchObject({ code: "not-found", exitStatus: 3 });
    });
  });
});

describe("deleteReference() on a terminal", () => {
  test.each([
    ["y", true],
    ["YES", true],
    [" y ", true],
    ["n", false],
    ["", false],
    ["yeah", false],
  ])("takes the answer %p as %p", async (answer, deleted) => {
    await seeded(
      "oci:source",
      async (world, place, digest) => {
        const report = await run(world, `${place}@${digest}`, { yes: false });
        expect(report).toMatchObject({ deleted, status: deleted ? "ok" : "no" });
        expect(await isThere(world, `${place}:1`)).toBe(!deleted);
        expect(world.context.asked).toEqual([expect.stringContaining("1, also")]);
      },
      { answers: [answer] },
    );
  });

  test("takes the end of input as no", async () => {
    await seeded(
      "oci:source",
      async (world, place) => expect((await run(world, `${place}:1`, { yes: false })).deleted).toBe(false),
      { answers: [] },
    );
  });
});

test("deleteReference() of a tag is unsupported where the registry deletes by digest only, and deletes nothing", async () => {
  await seeded(
    "HOST/a/b",
    async (world, place) => {
      const error = await run(world, `${place}:1`).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: "unsupported", exitStatus: 3, hint: expect.stringContaining("@DIGEST") });
      expect(world.registry.faults.noTagDelete).toBe(1);
      for (const left of [":1", ":also", ":other"]) expect(await isThere(world, place + left)).toBe(true);
    },
    { faults: { noTagDelete: true } },
  );
});

test("deleteReference() cannot change an archive", async () => {
  await withPlaces({}, async (world) => {
    const { backend, image } = makeSample();
    await world.seed("oci-archive:a.tar:1", backend, image);
    await expect(run(world, "oci-archive:a.tar:1")).rejects.toMatchObject({ code: "unsupported", exitStatus: 3 });
  });
});

test("deleteReference() names the tags of a manifest of a layout that lacks another one", async () => {
  await seeded("oci:source", async (world, place, digest) => {
    const other = await world.resolved(`${place}:other`);
    await rm(`${world.folder}/source/blobs/${other.descriptor.digest.replace(":", "/")}`);
    expect(await run(world, `${place}@${digest}`)).toMatchObject({ tags: ["1", "also"], deleted: true });
  });
});
