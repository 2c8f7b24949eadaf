import { describe, expect, test } from "bun:test";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { mediaTypes } from "../../src/oci/media-type.ts";
import { parsePlatform } from "../../src/oci/platform.ts";
import { parseReference } from "../../src/oci/reference.ts";
import { type InspectInput, type InspectReport, inspect } from "../../src/operations/inspect.ts";
import { MemoryBackend } from "../../src/store/memory.ts";
import { makeSample, signatureType } from "../contract/sample.ts";
import { addBlob, addIndex, addManifest, seededBytes } from "../support/graph.ts";
import { type Places, withPlaces } from "../support/image-places.ts";

async function run(
  { context }: Places,
  reference: string,
  choices: Partial<InspectInput> = {},
): Promise<InspectReport> {
  return inspect(context, {
    reference: parseReference(reference),
    platform: [],
    raw: false,
    config: false,
    ...choices,
  });
}

function withConfig(config: Readonly<Record<string, unknown>>) {
  const memory = new MemoryBackend();
  const bytes = new TextEncoder().encode(JSON.stringify(config));
  const layer = addBlob(memory, seededBytes(100, 1), mediaTypes.ociLayer);
  const image = addManifest(memory, {
    schemaVersion: 2,
    config: addBlob(memory, bytes, mediaTypes.ociConfig),
    layers: [layer],
    annotations: { "org.example": "yes" },
  });
  return { memory, image, bytes, layer };
}

const full = {
  os: "linux",
  architecture: "arm64",
  variant: "v8",
  created: "2026-01-02T03:04:05Z",
  config: {
    Entrypoint: ["/app"],
    Cmd: ["--port", "80"],
    Env: ["A=b"],
    WorkingDir: "/srv",
    User: "1000",
    Labels: { "org.example": "label" },
  },
  rootfs: { type: "layers", diff_ids: [`sha256:${"a".repeat(64)}`] },
};

describe("inspect()", () => {
  test("tells all of an image", async () => {
    await withPlaces({}, async (world) => {
      const { memory, image, layer } = withConfig(full);
      await world.seed("oci:source:1", memory, image);
      const { digest, size } = image.descriptor;
      expect(JSON.parse(JSON.stringify(await run(world, "oci:source:1")))).toEqual({
        status: "ok",
        reference: `oci:source@${digest}`,
        mediaType: mediaTypes.ociManifest,
        digest,
        size,
        annotations: { "org.example": "yes" },
        layers: [{ mediaType: layer.mediaType, digest: layer.digest, size: 100 }],
        image: {
          platform: "linux/arm64/v8",
          created: "2026-01-02T03:04:05Z",
          entrypoint: ["/app"],
          cmd: ["--port", "80"],
          env: ["A=b"],
          workdir: "/srv",
          user: "1000",
          labels: { "org.example": "label" },
          diffIds: full.rootfs.diff_ids,
        },
      });
    });
  });

  test("tells platform and size of every member of an index", async () => {
    await withPlaces({}, async (world) => {
      const { backend, index, members } = makeSample();
      await world.seed(`${world.registry.host}/a/b:1`, backend, index);
      const report = await run(world, `${world.registry.host}/a/b:1`);
      expect(report.members).toMatchObject(
        members.map(({ descriptor, value }, at) => {
          if (!("layers" in value)) throw new Error("the member is an image");
          const contentSize = value.layers.reduce((sum, layer) => sum + layer.size, value.config.size);
          return { digest: descriptor.digest, platform: at === 0 ? "linux/amd64" : "linux/arm64", contentSize };
        }),
      );
      expect(report.image).toBeUndefined();
    });
  });

  test("lists a member that is not there, without its size", async () => {
    await withPlaces({}, async (world) => {
      const { backend, index, members } = makeSample();
      await world.seed("oci:source:1", backend, index);
      const missing = members[1]?.descriptor.digest ?? "";
      await rm(join(world.folder, "source/blobs", missing.replace(":", "/")));
      const report = await run(world, "oci:source:1");
      expect(report.members?.[1]).toMatchObject({ digest: missing, contentSize: undefined });
      expect(report.members?.[0]?.contentSize).toBeGreaterThan(0);
    });
  });

  test("asks for no more members at a time than --concurrency allows", async () => {
    await withPlaces({}, async (world) => {
      const { backend, image } = makeSample();
      const members = Array.from({ length: 40 }, (_, at) => {
        const config = addBlob(backend, new TextEncoder().encode(`{"at":${at}}`), mediaTypes.ociConfig);
        return [addManifest(backend, { schemaVersion: 2, config, layers: [] }), `arch${at}`] as const;
      });
      await world.seed(`${world.registry.host}/a/b:1`, backend, addIndex(backend, [...members, [image, "amd64"]]));
      let [running, most] = [0, 0];
      const http = {
        ...world.context.http,
        send: async (request: Parameters<typeof world.context.http.send>[0]) => {
          most = Math.max(most, ++running);
          try {
            return await world.context.http.send(request);
          } finally {
            running--;
          }
        },
      };
      const network = { ...world.context.network, concurrency: 3 };
      const context = { ...world.context, http, network };
      const report = await run({ ...world, context }, `${world.registry.host}/a/b:1`);
      expect(report.members).toHaveLength(41);
      expect(most).toBeLessThanOrEqual(3);
    });
  });

  test("tells type and subject of an artifact, which is no image", async () => {
    await withPlaces({}, async (world) => {
      const { backend, index, signature } = makeSample();
      await world.seed("oci:source:1", backend, index);
      const report = await run(world, `oci:source@${signature.descriptor.digest}`);
      expect(report).toMatchObject({ artifactType: signatureType, subject: { digest: index.descriptor.digest } });
      expect(report.image).toBeUndefined();
    });
  });

  test("--platform chooses a member", async () => {
    await withPlaces({}, async (world) => {
      const { backend, index, members } = makeSample();
      await world.seed("oci:source:1", backend, index);
      const report = await run(world, "oci:source:1", { platform: [parsePlatform("linux/arm64")] });
      expect(report.digest as string).toBe(members[1]?.descriptor.digest ?? "");
      expect(report.image?.platform).toBe("linux/arm64");
    });
  });

  test("--raw prints the manifest's bytes as they are, and asks for nothing else", async () => {
    await withPlaces({}, async (world) => {
      const { backend, index } = makeSample();
      await world.seed(`${world.registry.host}/a/b:1`, backend, index);
      world.registry.requests.length = 0;
      await run(world, `${world.registry.host}/a/b:1`, { raw: true });
      expect(world.context.stdout()).toEqual(index.bytes);
      const paths = world.registry.requests.map(({ path }) => path).filter((path) => path !== "/v2/");
      expect(new Set(paths)).toEqual(new Set(["/v2/a/b/manifests/1"]));
    });
  });

  test("--config prints the config's bytes as they are", async () => {
    await withPlaces({}, async (world) => {
      const { memory, image, bytes } = withConfig({ ...full, "x-unknown": 1 });
      await world.seed("oci:source:1", memory, image);
      await run(world, "oci:source:1", { config: true });
      expect(world.context.stdout()).toEqual(bytes);
    });
  });

  test("--config of an index fails and prints nothing", async () => {
    await withPlaces({}, async (world) => {
      const { backend, index } = makeSample();
      await world.seed("oci:source:1", backend, index);
      const inspecting = run(world, "oci:source:1", { config: true });
      await expect(inspecting).rejects.toMatchObject({ code: "unsupported-content", exitStatus: 3 });
      expect(world.context.stdout().byteLength).toBe(0);
    });
  });

  test("from a registry that turns bits fails with digest-mismatch and prints nothing", async () => {
    await withPlaces({ faults: { wrongDigest: true } }, async (world) => {
      const { backend, image } = makeSample();
      await world.seed(`${world.registry.host}/a/b:1`, backend, image);
      const inspecting = run(world, `${world.registry.host}/a/b@${image.descriptor.digest}`, { raw: true });
      await expect(inspecting).rejects.toMatchObject({ code: "digest-mismatch" });
      expect(world.context.stdout().byteLength).toBe(0);
    });
  });
});
