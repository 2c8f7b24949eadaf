import { describe, expect, test } from "bun:test";
import { parsePlatform } from "../../src/oci/platform.ts";
import { parseReference } from "../../src/oci/reference.ts";
import { resolve } from "../../src/operations/resolve.ts";
import { makeSample } from "../contract/sample.ts";
import { withPlaces } from "../support/image-places.ts";

describe("resolve()", () => {
  test.each(["HOST/a/b", "oci:source", "oci-archive:source.tar"])("tells what a tag of %s names", async (written) => {
    await withPlaces({}, async (world) => {
      const place = written.replace("HOST", world.registry.host);
      const { backend, index } = makeSample();
      await world.seed(`${place}:1.10`, backend, index);
      const { digest, mediaType, size } = index.descriptor;
      const report = await resolve(world.context, { reference: parseReference(`${place}:1.10`), platform: [] });
      expect(report).toEqual({ status: "ok", reference: `${place}@${digest}`, digest, mediaType, size });
    });
  });

  test("takes the platform's image", async () => {
    await withPlaces({}, async (world) => {
      const { backend, index, members } = makeSample();
      await world.seed("oci:source:1", backend, index);
      const platform = [parsePlatform("linux/arm64")];
      const { digest } = await resolve(world.context, { reference: parseReference("oci:source:1"), platform });
      expect(digest as string).toBe(members[1]?.descriptor.digest ?? "");
    });
  });

  test("lets the digest win over the tag", async () => {
    await withPlaces({}, async (world) => {
      const { backend, index, image } = makeSample();
      await world.seed("oci:source:1", backend, index);
      await world.seed("oci:source:2", backend, image);
      const reference = parseReference(`oci:source:1@${image.descriptor.digest}`);
      expect((await resolve(world.context, { reference, platform: [] })).digest).toBe(image.descriptor.digest);
    });
  });

  test.each(["HOST/a/b:2", "HOST/none/here:1", "oci:source:2", "oci:absent:1", "oci-archive:absent.tar:1"])(
    "fails with not-found for %s",
    async (written) => {
      await withPlaces({}, async (world) => {
        const { backend, image } = makeSample();
        await world.seed(`${world.registry.host}/a/b:1`, backend, image);
        await world.seed("oci:source:1", backend, image);
        const reference = parseReference(written.replace("HOST", world.registry.host));
        const resolving = resolve(world.context, { reference, platform: [] });
        await expect(resolving).rejects.toMatchObject({ code: "not-found", exitStatus: 3 });
      });
    },
  );
});
