import { describe, expect, test } from "bun:test";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { digestOf } from "../../src/oci/make.ts";
import { parseExplicitReference, parseLocation } from "../../src/oci/reference.ts";
import { blobGet, blobHead, blobPut } from "../../src/operations/blob.ts";
import { MemoryBackend } from "../../src/store/memory.ts";
import { addImage, seededBytes } from "../support/graph.ts";
import { type Places, type PlacesWorld, withPlaces } from "../support/image-places.ts";

// Larger than what is held in memory anywhere
const layer = seededBytes(3_000_000, 1000);
const digest = digestOf(layer);
const readable = ["HOST/a/b", "oci:source", "oci-archive:source.tar"];

/** The place holds an image whose only layer is `layer`. */
async function seeded(
  written: string,
  body: (world: Places, place: string) => Promise<void>,
  given: PlacesWorld = {},
): Promise<void> {
  await withPlaces(given, async (world) => {
    const place = written.replace("HOST", world.registry.host);
    const memory = new MemoryBackend();
    await world.seed(`${place}:1`, memory, addImage(memory, { layers: 1, layerSize: layer.byteLength }));
    await body(world, place);
  });
}

function byDigest(place: string, of: string = digest) {
  return parseExplicitReference(`${place}@${of}`);
}

describe.each(readable)("blob verbs read from %s", (written) => {
  test("blobGet() writes the blob into a file", async () => {
    await seeded(written, async (world, place) => {
      const report = await blobGet(world.context, { reference: byDigest(place), output: "layer" });
      expect(report).toEqual({ status: "ok", reference: `${place}@${digest}`, digest, size: layer.byteLength });
      expect(digestOf(await readFile(join(world.folder, "layer")))).toBe(digest);
    });
  });

  test("blobGet() writes the blob to standard output, and no file", async () => {
    await seeded(written, async (world, place) => {
      const before = await readdir(world.folder);
      await blobGet(world.context, { reference: byDigest(place), output: "-" });
      expect(digestOf(world.context.stdout())).toBe(digest);
      expect(await readdir(world.folder)).toEqual(before);
    });
  });

  test("blobHead() tells its size", async () => {
    await seeded(written, async (world, place) => {
      const report = await blobHead(world.context, { reference: byDigest(place) });
      expect(report).toEqual({ status: "ok", reference: `${place}@${digest}`, digest, size: layer.byteLength });
    });
  });

  test("both fail with not-found for another digest, and write nothing", async () => {
    await seeded(written, async (world, place) => {
      const before = await readdir(world.folder);
      const reference = byDigest(place, digestOf("absent"));
      const expected = { code: "not-found", exitStatus: 3 };
      await expect(blobHead(world.context, { reference })).rejects.toMatchObject(expected);
      await expect(blobGet(world.context, { reference, output: "-" })).rejects.toMatchObject(expected);
      await expect(blobGet(world.context, { reference, output: "layer" })).rejects.toMatchObject(expected);
      expect(await readdir(world.folder)).toEqual(before);
    });
  });

  test("both refuse a reference without a digest with exit 2", async () => {
    await seeded(written, async (world, place) => {
      const reference = parseExplicitReference(`${place}:1`);
      const expected = { code: "usage", exitStatus: 2 };
      await expect(blobHead(world.context, { reference })).rejects.toMatchObject(expected);
      await expect(blobGet(world.context, { reference, output: "-" })).rejects.toMatchObject(expected);
    });
  });
});

describe("blobGet() hands out no wrong byte", () => {
  test.each(["-", "layer"])("to %s where the registry turns a bit", async (output) => {
    await seeded(
      "HOST/a/b",
      async (world, place) => {
        const getting = blobGet(world.context, { reference: byDigest(place), output });
        await expect(getting).rejects.toMatchObject({ code: "digest-mismatch", exitStatus: 3 });
        expect(world.registry.faults.wrongDigest).toBeGreaterThan(0);
        expect(world.context.stdout().byteLength).toBe(0);
        expect(await readdir(world.folder)).toEqual([]);
      },
      { faults: { wrongDigest: true } },
    );
  });

  test.each(["-", "layer"])("to %s where every body breaks off", async (output) => {
    await seeded(
      "HOST/a/b",
      async (world, place) => {
        const getting = blobGet(world.context, { reference: byDigest(place), output });
        await expect(getting).rejects.toMatchObject({ exitStatus: 3 });
        expect(world.context.stdout().byteLength).toBe(0);
        expect(await readdir(world.folder)).toEqual([]);
      },
      { faults: { shortBody: { times: 1e6 } } },
    );
  });

  test.each(["-", "layer"])("to %s where a layout's file was changed in its last byte", async (output) => {
    await seeded("oci:source", async (world, place) => {
      const path = join(world.folder, "source/blobs", digest.replace(":", "/"));
      const bytes = await readFile(path);
      bytes[bytes.byteLength - 1] = (bytes.at(-1) ?? 0) ^ 1;
      await writeFile(path, bytes);
      const getting = blobGet(world.context, { reference: byDigest(place), output });
      await expect(getting).rejects.toMatchObject({ code: "digest-mismatch" });
      expect(world.context.stdout().byteLength).toBe(0);
      expect(await readdir(world.folder)).toEqual(["source"]);
    });
  });

  test("and leaves a file that was there as it was", async () => {
    await seeded(
      "HOST/a/b",
      async (world, place) => {
        const getting = blobGet(world.context, { reference: byDigest(place), output: "layer" });
        await expect(getting).rejects.toMatchObject({ code: "digest-mismatch" });
        expect(await readFile(join(world.folder, "layer"), "utf8")).toBe("before");
      },
      { faults: { wrongDigest: true }, files: { layer: "before" } },
    );
  });
});

describe.each(["HOST/a/b", "oci:made"])("blobPut() into %s", (written) => {
  test.each(["layer", "-"])("puts %s", async (file) => {
    await withPlaces({ files: { layer }, stdin: layer }, async (world) => {
      const place = written.replace("HOST", world.registry.host);
      const report = await blobPut(world.context, { location: parseLocation(place), file });
      expect(report).toEqual({ status: "ok", reference: `${place}@${digest}`, digest, size: layer.byteLength });
      await blobGet(world.context, { reference: byDigest(place), output: "-" });
      expect(digestOf(world.context.stdout())).toBe(digest);
    });
  });

  test("puts what is empty", async () => {
    await withPlaces({ files: { empty: "" } }, async (world) => {
      const place = written.replace("HOST", world.registry.host);
      const report = await blobPut(world.context, { location: parseLocation(place), file: "empty" });
      expect(report).toMatchObject({ size: 0, digest: digestOf("") });
      expect((await blobHead(world.context, { reference: byDigest(place, digestOf("")) })).size).toBe(0);
    });
  });

  test.each(["absent", "folder"])("refuses %s with exit 2, and writes nothing", async (file) => {
    await withPlaces({ files: { "folder/file": "" } }, async (world) => {
      const location = parseLocation(written.replace("HOST", world.registry.host));
      const putting = blobPut(world.context, { location, file });
      await expect(putting).rejects.toMatchObject({ code: "invalid-input", exitStatus: 2 });
      expect(await readdir(world.folder)).toEqual(["folder"]);
      expect(world.registry.requests).toEqual([]);
    });
  });
});

test("blobPut() cannot change an archive", async () => {
  await seeded(
    "oci-archive:source.tar",
    async (world, place) => {
      const putting = blobPut(world.context, { location: parseLocation(place), file: "file" });
      await expect(putting).rejects.toMatchObject({ code: "unsupported", exitStatus: 3 });
    },
    { files: { file: "x" } },
  );
});
