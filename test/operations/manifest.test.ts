import { describe, expect, test } from "bun:test";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { digestOf } from "../../src/oci/make.ts";
import { mediaTypes } from "../../src/oci/media-type.ts";
import { parsePlatform } from "../../src/oci/platform.ts";
import { parseExplicitReference, parseReference } from "../../src/oci/reference.ts";
import { manifestGet, manifestHead, manifestPut } from "../../src/operations/manifest.ts";
import { makeSample } from "../contract/sample.ts";
import { type Places, type PlacesWorld, withPlaces } from "../support/image-places.ts";

async function seeded(
  written: string,
  body: (world: Places, place: string, sample: ReturnType<typeof makeSample>) => Promise<void>,
  given: PlacesWorld = {},
): Promise<void> {
  await withPlaces(given, async (world) => {
    const place = written.replace("HOST", world.registry.host);
    const sample = makeSample();
    await world.seed(`${place}:1`, sample.backend, sample.index);
    await body(world, place, sample);
  });
}

describe.each(["HOST/a/b", "oci:source", "oci-archive:source.tar"])("manifest verbs read from %s", (written) => {
  test.each([":1", "@DIGEST"])("manifestGet() writes the bytes of %s into a file", async (name) => {
    await seeded(written, async (world, place, { index }) => {
      const { digest, mediaType, size } = index.descriptor;
      const reference = parseReference(place + name.replace("DIGEST", digest));
      const report = await manifestGet(world.context, { reference, platform: [], output: "m.json" });
      expect(report).toEqual({ status: "ok", reference: `${place}@${digest}`, digest, mediaType, size });
      expect(await readFile(join(world.folder, "m.json"), "utf8")).toEqual(new TextDecoder().decode(index.bytes));
    });
  });

  test("manifestGet() writes the bytes of a platform to standard output", async () => {
    await seeded(written, async (world, place, { members }) => {
      const platform = [parsePlatform("linux/arm64")];
      await manifestGet(world.context, { reference: parseReference(`${place}:1`), platform, output: "-" });
      expect(world.context.stdout()).toEqual(members[1]?.bytes ?? new Uint8Array(0));
    });
  });

  test.each([":1", "@DIGEST"])("manifestHead() tells digest, type and size of %s", async (name) => {
    await seeded(written, async (world, place, { index }) => {
      const { digest, mediaType, size } = index.descriptor;
      const reference = parseReference(place + name.replace("DIGEST", digest));
      const report = await manifestHead(world.context, { reference });
      expect(report).toEqual({ status: "ok", reference: `${place}@${digest}`, digest, mediaType, size });
    });
  });

  test.each([":2", `@sha256:${"1".repeat(64)}`])("both fail with not-found for %s", async (name) => {
    await seeded(written, async (world, place) => {
      const reference = parseReference(place + name);
      const expected = { code: "not-found", exitStatus: 3 };
      await expect(manifestHead(world.context, { reference })).rejects.toMatchObject(expected);
      const getting = manifestGet(world.context, { reference, platform: [], output: "-" });
      await expect(getting).rejects.toMatchObject(expected);
    });
  });
});

test.each(["-", "m.json"])("manifestGet() hands out no wrong byte to %s", async (output) => {
  await seeded(
    "HOST/a/b",
    async (world, place, { index }) => {
      const reference = parseReference(`${place}@${index.descriptor.digest}`);
      const getting = manifestGet(world.context, { reference, platform: [], output });
      await expect(getting).rejects.toMatchObject({ code: "digest-mismatch" });
      expect(world.context.stdout().byteLength).toBe(0);
      expect(await readdir(world.folder)).toEqual([]);
    },
    { faults: { wrongDigest: true } },
  );
});

/** The index of the sample with another annotation and white space that nothing would write again. */
function handWritten({ index }: ReturnType<typeof makeSample>): string {
  const value = JSON.parse(new TextDecoder().decode(index.bytes));
  return `${JSON.stringify({ ...value, annotations: { "org.example": "by hand" } }, undefined, 3)} \n`;
}

const hand = handWritten(makeSample());

describe.each(["HOST/a/b", "oci:source"])("manifestPut() into %s", (written) => {
  test.each(["m.json", "-"])("keeps every byte of %s, under the tag", async (file) => {
    await seeded(
      written,
      async (world, place) => {
        const report = await manifestPut(world.context, { reference: parseExplicitReference(`${place}:new`), file });
        const digest = digestOf(hand);
        const size = hand.length;
        const mediaType = mediaTypes.ociIndex;
        expect(report).toEqual({ status: "ok", reference: `${place}@${digest}`, digest, mediaType, size });
        const found = await world.resolved(`${place}:new`);
        expect(new TextDecoder().decode(found.bytes)).toBe(hand);
      },
      { files: { "m.json": hand }, stdin: hand },
    );
  });

  test("puts it by its digest alone where no tag is named", async () => {
    await seeded(
      written,
      async (world, place) => {
        await manifestPut(world.context, { reference: parseExplicitReference(place), file: "m.json" });
        expect((await world.resolved(`${place}@${digestOf(hand)}`)).descriptor.digest).toBe(digestOf(hand));
        expect((await world.resolved(`${place}:1`)).descriptor.digest).not.toBe(digestOf(hand));
      },
      { files: { "m.json": hand } },
    );
  });

  test("takes a sha512 digest", async () => {
    await seeded(
      written,
      async (world, place) => {
        const digest = digestOf(hand, "sha512");
        const reference = parseExplicitReference(`${place}@${digest}`);
        expect((await manifestPut(world.context, { reference, file: "m.json" })).digest).toBe(digest);
        expect((await world.resolved(`${place}@${digest}`)).descriptor.digest).toBe(digest);
      },
      { files: { "m.json": hand } },
    );
  });

  test.each<[string, string, string | undefined, string, number]>([
    ["a file that has another digest", `@sha256:${"1".repeat(64)}`, undefined, "usage", 2],
    ["a type that is no manifest's", ":new", "application/vnd.example+json", "unsupported-content", 3],
    ["a type that is not the file's", ":new", mediaTypes.ociManifest, "malformed-content", 3],
  ])("refuses %s, and sets no tag", async (_, name, mediaType, code, exitStatus) => {
    await seeded(
      written,
      async (world, place) => {
        const reference = parseExplicitReference(place + name);
        const putting = manifestPut(world.context, { reference, file: "m.json", mediaType });
        await expect(putting).rejects.toMatchObject({ code, exitStatus });
        await expect(world.resolved(`${place}:new`)).rejects.toMatchObject({ code: "not-found" });
        await expect(world.resolved(`${place}@${digestOf(hand)}`)).rejects.toMatchObject({ code: "not-found" });
      },
      { files: { "m.json": hand } },
    );
  });

  test.each<[string, Uint8Array | string, string, number]>([
    ["what is no JSON", "{", "malformed-json", 3],
    ["what has a name twice", hand.replace("{", '{"schemaVersion":2,'), "malformed-json", 3],
    ["what says no type and has no shape", "{}", "invalid-input", 2],
    ["more than 4 MiB", `{"mediaType":"${"x".repeat(4 * 1024 * 1024)}"}`, "limit-exceeded", 3],
  ])("refuses %s", async (_, text, code, exitStatus) => {
    await seeded(
      written,
      async (world, place) => {
        const putting = manifestPut(world.context, {
          reference: parseExplicitReference(`${place}:new`),
          file: "m.json",
        });
        await expect(putting).rejects.toMatchObject({ code, exitStatus });
      },
      { files: { "m.json": text } },
    );
  });

  test.each(["absent", "folder"])("refuses %s as a file with exit 2", async (file) => {
    await seeded(
      written,
      async (world, place) => {
        const putting = manifestPut(world.context, { reference: parseExplicitReference(`${place}:new`), file });
        await expect(putting).rejects.toMatchObject({ code: "invalid-input", exitStatus: 2 });
      },
      { files: { "folder/file": "" } },
    );
  });
});

test("manifestPut() fails with blob-missing where the registry lacks what it points at, and sets no tag", async () => {
  const { image } = makeSample();
  await seeded(
    "HOST/a/b",
    async (world, place) => {
      const putting = manifestPut(world.context, { reference: parseExplicitReference(`${place}:new`), file: "m.json" });
      await expect(putting).rejects.toMatchObject({ code: "blob-missing", exitStatus: 3 });
      await expect(world.resolved(`${place}:new`)).rejects.toMatchObject({ code: "not-found" });
    },
    { files: { "m.json": image.bytes } },
  );
});

test("manifestPut() cannot change an archive", async () => {
  await seeded(
    "oci-archive:source.tar",
    async (world, place) => {
      const putting = manifestPut(world.context, { reference: parseExplicitReference(`${place}:2`), file: "m.json" });
      await expect(putting).rejects.toMatchObject({ code: "unsupported", exitStatus: 3 });
    },
    { files: { "m.json": hand } },
  );
});
