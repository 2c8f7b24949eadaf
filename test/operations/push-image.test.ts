import { describe, expect, test } from "bun:test";
import { appendFile, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import type { Context } from "../../src/core/context.ts";
import { parseReference } from "../../src/oci/reference.ts";
import { append } from "../../src/operations/append.ts";
import { appendSchema } from "../../src/operations/append-schema.ts";
import { openSource } from "../../src/operations/open.ts";
import { type PushImageInput, pushImage } from "../../src/operations/push-image.ts";
import type { Faults } from "../support/faults.ts";
import { withFolder } from "../support/folder.ts";
import { minimalManifest } from "../support/manifest-text.ts";
import { withRealContext } from "../support/real-context.ts";
import { startTestRegistry, type TestRegistry } from "../support/registry.ts";

const input: PushImageInput = { tag: [], dryRun: false };
const unreachable = "127.0.0.1:1/no/where:1";

/** A project whose image was appended, with the manifest's registry being a real one. */
async function withBuilt(
  body: (context: Context, registry: TestRegistry, folder: string, digest: string) => Promise<void>,
  { tags = '["1.10", latest]', faults = {} }: { readonly tags?: string; readonly faults?: Faults } = {},
): Promise<void> {
  const registry = await startTestRegistry({ faults });
  try {
    const manifest = minimalManifest
      .replace("host: registry.example.org", `host: ${registry.host}`)
      .replace(/tags:\n.*\n.*\n/, `tags: ${tags.replaceAll("HOST", registry.host)}\n`);
    await withFolder({ ".library.manifest.yaml": manifest, "dist/f": "x" }, (folder) =>
      withRealContext({ cwd: folder }, async (context) => {
        const raw = { manifest: ".library.manifest.yaml", layer: ["dist:/app"] };
        const { digest } = await append(context, v.parse(appendSchema, raw));
        await body(context, registry, folder, digest);
      }),
    );
  } finally {
    await registry.stop();
  }
}

async function digestAt(context: Context, reference: string): Promise<string> {
  const { location, tag } = parseReference(reference);
  const store = await openSource(context, location);
  try {
    return (await store.resolve(tag, context)).descriptor.digest;
  } finally {
    await store.close();
  }
}

describe("pushImage()", () => {
  test.each(["registry.example.org/astro/viewer:1", "viewer:1", "astro/viewer"])(
    "takes no reference, and says what does: %s",
    async (manifest) => {
      await withFolder({}, (folder) =>
        withRealContext({ cwd: folder }, async (context) => {
          const hint = expect.stringMatching(new RegExp(`--tag ${manifest}.*library copy`));
          await expect(pushImage(context, { ...input, manifest })).rejects.toMatchObject({
            code: "invalid-manifest-file",
            hint,
          });
        }),
      );
    },
  );

  test("takes a folder that holds a manifest", async () => {
    await withBuilt(async (context, _, __, digest) => {
      expect((await pushImage(context, { ...input, manifest: ".", dryRun: true })).digest).toBe(digest as never);
    });
  });

  test("puts the image under every tag, whole, with its digest", async () => {
    await withBuilt(async (context, registry, _, digest) => {
      const report = await pushImage(context, input);
      expect(report).toMatchObject({ status: "ok", digest });
      const names = ["1.10", "latest"].map((tag) => `${registry.host}/astro/viewer:${tag}`);
      expect(report.tags).toEqual(names.map((reference) => ({ reference, digest, status: "pushed" })) as never);
      for (const name of names) expect(await digestAt(context, name)).toBe(digest);
      expect((await pushImage(context, input)).bytesSent).toBe(0);
    });
  });

  test("puts it into every repository that the manifest's full references name", async () => {
    await withBuilt(
      async (context, registry, _, digest) => {
        const { status, tags } = await pushImage(context, input);
        expect([status, tags.length]).toEqual(["ok", 2]);
        expect(await digestAt(context, `${registry.host}/astro/viewer:1`)).toBe(digest);
        expect(await digestAt(context, `${registry.host}/other/place:2`)).toBe(digest);
      },
      { tags: '["1", "HOST/other/place:2"]' },
    );
  });

  test("puts it under --tag instead of the manifest's tags", async () => {
    await withBuilt(async (context, registry, _, digest) => {
      const { tags } = await pushImage(context, { ...input, tag: ["try", `${registry.host}/x/y:z`] });
      expect(tags.map(({ reference }) => reference)).toEqual([
        `${registry.host}/astro/viewer:try`,
        `${registry.host}/x/y:z`,
      ]);
      expect(await digestAt(context, `${registry.host}/x/y:z`)).toBe(digest);
      await expect(digestAt(context, `${registry.host}/astro/viewer:latest`)).rejects.toMatchObject({
        code: "not-found",
      });
    });
  });

  test("in a dry run says what it would do, and sends nothing", async () => {
    await withBuilt(async (context, registry) => {
      const report = await pushImage(context, { ...input, dryRun: true });
      expect(report.tags.map(({ status }) => status)).toEqual(["planned", "planned"]);
      expect(registry.requests).toEqual([]);
    });
  });

  test("where one registry fails is incomplete, says what landed, and how to go on", async () => {
    await withBuilt(async (context, registry, _, digest) => {
      const there = `${registry.host}/x/y:1`;
      const report = await pushImage(context, { ...input, tag: [unreachable, there] });
      expect(report.status).toBe("incomplete");
      expect(report.tags).toMatchObject([
        { reference: unreachable, status: "failed", error: { code: "network-error" } },
        { reference: there, status: "pushed", digest },
      ]);
      expect(report.resume).toBe(`library push image .library.manifest.yaml --tag ${unreachable}`);
      expect(await digestAt(context, there)).toBe(digest);
    });
  });

  test("where nothing lands throws the failure", async () => {
    await withBuilt(async (context) => {
      await expect(pushImage(context, { ...input, tag: [unreachable] })).rejects.toMatchObject({
        code: "network-error",
        exitStatus: 3,
      });
    });
  });

  test("reads from another layout", async () => {
    await withBuilt(async (context, registry, folder, digest) => {
      await rename(join(folder, ".library/layout"), join(folder, "moved"));
      await expect(pushImage(context, input)).rejects.toMatchObject({ code: "build-missing" });
      expect((await pushImage(context, { ...input, layout: "moved" })).digest).toBe(digest as never);
      expect(await digestAt(context, `${registry.host}/astro/viewer:latest`)).toBe(digest);
    });
  });

  test("finds what was built after the folder was moved", async () => {
    await withBuilt(async (context, _, folder, digest) => {
      await rename(join(folder, ".library"), join(folder, "dist/.library"));
      await rename(join(folder, ".library.manifest.yaml"), join(folder, "dist/.library.manifest.yaml"));
      const report = await pushImage(context, { ...input, manifest: "dist/.library.manifest.yaml" });
      expect(report.digest).toBe(digest as never);
    });
  });
});

describe("pushImage() refuses with exit 2 and the next step", () => {
  const edits: readonly [string, (folder: string) => Promise<void>][] = [
    ["a manifest that was never built", (folder) => rename(join(folder, ".library"), join(folder, "gone"))],
    [
      "a manifest that was changed since",
      (folder) => appendFile(join(folder, ".library.manifest.yaml"), "# changed\n"),
    ],
    ["a build that runs or was killed", (folder) => edit(folder, { status: "running" })],
    ["a build that failed", (folder) => edit(folder, { status: "failed" })],
    ["a report of another version", (folder) => edit(folder, { schemaVersion: 9 })],
    ["a layout that lost the image", (folder) => edit(folder, { digest: `sha256:${"1".repeat(64)}` })],
  ];
  test.each(edits)("%s", async (_, change) => {
    await withBuilt(async (context, registry, folder) => {
      await change(folder);
      const error = await pushImage(context, input).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: "build-missing", exitStatus: 2, hint: expect.any(String) });
      expect(registry.requests).toEqual([]);
    });
  });
});

async function edit(folder: string, changes: Readonly<Record<string, unknown>>): Promise<void> {
  const path = join(folder, ".library/build.json");
  await writeFile(path, JSON.stringify({ ...JSON.parse(await readFile(path, "utf8")), ...changes }));
}
