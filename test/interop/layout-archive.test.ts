import { expect, test } from "bun:test";
import { cp, mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { hexOf } from "../../src/core/hashing.ts";
import type { Descriptor } from "../../src/oci/descriptor.ts";
import { describe as describeBytes, makeManifest } from "../../src/oci/make.ts";
import type { Manifest } from "../../src/oci/manifest.ts";
import { mediaTypes } from "../../src/oci/media-type.ts";
import { ArchiveSource } from "../../src/store/archive-source.ts";
import { ArchiveTarget } from "../../src/store/archive-target.ts";
import type { Source } from "../../src/store/backend.ts";
import { LayoutBackend } from "../../src/store/layout.ts";
import { MemoryBackend } from "../../src/store/memory.ts";
import { collect, Store } from "../../src/store/store.ts";
import { walk } from "../../src/store/walk.ts";
import { fill } from "../contract/sample.ts";
import { filesBelow } from "../support/file-tree.ts";
import { withFolder } from "../support/folder.ts";
import { addBlob, addImage, addIndex, addManifest, seededBytes } from "../support/graph.ts";
import { testIo } from "../support/io.ts";
import { describeWithPeers, testWithPeers } from "../support/peers.ts";
import { storePorts } from "../support/ports.ts";
import { runProgram } from "../support/program.ts";
import { addRealImage } from "../support/real-image.ts";
import { startRegistry } from "../support/registries.ts";

const io = testIo();

/** The kinds of content that must survive other programs. */
const graphs: Readonly<Record<string, (backend: MemoryBackend) => Manifest>> = {
  "an image": (backend) => addRealImage(backend),
  "an image with zstd layers": (backend) => addRealImage(backend, { compression: "zstd" }),
  "an image of Docker's types": (backend) => addRealImage(backend, { docker: true }),
  "a list of Docker's types": (backend) => dockerList(backend),
  "an index of two platforms": (backend) => platforms(backend),
  "a nested index": (backend) =>
    addIndex(backend, [
      [platforms(backend), "amd64"],
      [addRealImage(backend, { seed: 9 }), "amd64"],
    ]),
  "an index of 500 members": (backend) =>
    addIndex(
      backend,
      Array.from(
        { length: 500 },
        (_, seed) => [addImage(backend, { seed, layers: 1, layerSize: 10 }), "amd64"] as const,
      ),
    ),
  "an image of sha512 digests": (backend) => longDigests(backend),
};

function platforms(backend: MemoryBackend): Manifest {
  return addIndex(backend, [
    [addRealImage(backend, { seed: 1 }), "amd64"],
    [addRealImage(backend, { seed: 2, architecture: "arm64" }), "arm64"],
  ]);
}

function dockerList(backend: MemoryBackend): Manifest {
  const member = addRealImage(backend, { docker: true });
  return addManifest(backend, {
    schemaVersion: 2,
    mediaType: mediaTypes.dockerManifestList,
    manifests: [{ ...member.descriptor, platform: { os: "linux", architecture: "amd64" } }],
  });
}

/** Its layer and its manifest are known by sha512; oras and regctl take such digests. */
function longDigests(backend: MemoryBackend): Manifest {
  const bytes = seededBytes(5000, 3);
  const layer = describeBytes(bytes, mediaTypes.ociLayer, "sha512");
  backend.add({ kind: "blob", descriptor: layer }, bytes);
  const config = addBlob(backend, new TextEncoder().encode("{}"), mediaTypes.ociEmpty);
  const manifest = makeManifest(
    {
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      artifactType: "application/vnd.example",
      config,
      layers: [layer],
    },
    "sha512",
  );
  backend.add({ kind: "manifest", descriptor: manifest.descriptor }, manifest.bytes);
  return manifest;
}

/** What a place holds under a tag, every byte of it checked: the digests, sorted. */
async function digestsIn(
  source: Source,
  reference: string | undefined,
): Promise<{ readonly root: string; readonly all: readonly string[] }> {
  const store = new Store(source);
  const root = await store.resolve(reference, io);
  const all: string[] = [];
  for await (const node of walk(store, [root], { referrers: "all" }, io)) {
    await collect(await store.stream(node, io), node.descriptor.size, "");
    all.push(node.descriptor.digest);
  }
  await source.close();
  return { root: root.descriptor.digest, all: all.sort() };
}

const layoutAt = (path: string): LayoutBackend => new LayoutBackend(path, storePorts);
const archiveAt = (path: string): ArchiveSource => new ArchiveSource(path, storePorts);

/** Runs a peer and gives its stdout; fails with its stderr where it fails. */
async function run(program: string, argv: readonly string[], home: string): Promise<string> {
  const ended = await runProgram(program, argv, { env: { HOME: home, TMPDIR: home, XDG_RUNTIME_DIR: home } });
  if (ended.status !== 0) throw new Error(`${program} ${argv.join(" ")}: ${ended.stderr}${ended.stdout}`);
  return ended.stdout.toString();
}

/** A program that copies from our layout or archive into a layout of its own, checking every digest on the way. */
interface Reader {
  readonly program: string;
  readonly skips: readonly string[];
  copy(from: "layout" | "archive", path: string, to: string): readonly string[];
}

const readers: readonly Reader[] = [
  {
    program: "skopeo",
    // skopeo 1.9 knows no sha512 and no nested index, and looks for OCI's media types alone in a layout
    skips: ["an image of sha512 digests", "a nested index", "an image of Docker's types", "a list of Docker's types"],
    copy: (from, path, to) => [
      "--insecure-policy",
      "copy",
      "--all",
      "--preserve-digests",
      `${from === "layout" ? "oci" : "oci-archive"}:${path}:1`,
      `oci:${to}:1`,
    ],
  },
  {
    program: "oras",
    skips: [],
    copy: (_, path, to) => ["copy", "--from-oci-layout", `${path}:1`, "--to-oci-layout", `${to}:1`],
  },
  {
    program: "regctl",
    skips: [],
    copy: (_, path, to) => ["image", "copy", `ocidir://${path}:1`, `ocidir://${to}:1`],
  },
];

for (const { program, skips, copy } of readers) {
  describeWithPeers([program], `${program} reads what we wrote`, (peers) => {
    for (const [kind, make] of Object.entries(graphs)) {
      if (skips.includes(kind)) continue;
      for (const from of ["layout", "archive"] as const) {
        // regctl reads layouts alone
        if (from === "archive" && program === "regctl") continue;
        test(
          `${kind} from our ${from}, and we read its copy`,
          () =>
            withFolder({}, async (folder) => {
              const backend = new MemoryBackend();
              const root = make(backend);
              const path = join(folder, from === "layout" ? "ours" : "ours.tar");
              const target = from === "layout" ? layoutAt(path) : new ArchiveTarget(path, storePorts);
              await fill(target, backend, [{ manifest: root, tag: "1" }]);
              const wanted = await digestsIn(from === "layout" ? layoutAt(path) : archiveAt(path), "1");
              await run(peers[program] ?? program, copy(from, path, join(folder, "theirs")), folder);
              const found = await digestsIn(layoutAt(join(folder, "theirs")), "1");
              expect(found).toEqual(wanted);
              expect(found.root).toBe(root.descriptor.digest);
            }),
          60_000,
        );
      }
    }
  });
}

testWithPeers(["umoci"], "umoci unpacks an image of our layout, and we read what it changes", ({ umoci }) =>
  withFolder({ "new-file": "new" }, async (folder) => {
    const backend = new MemoryBackend();
    const path = join(folder, "layout");
    await fill(layoutAt(path), backend, [{ manifest: addRealImage(backend), tag: "1" }]);
    await run(umoci, ["unpack", "--rootless", "--image", `${path}:1`, join(folder, "bundle")], folder);
    expect(await filesBelow(join(folder, "bundle", "rootfs"))).toEqual([
      "layer1/bytes",
      "layer1/seed",
      "layer2/bytes",
      "layer2/seed",
    ]);
    expect(await readFile(join(folder, "bundle", "rootfs", "layer2", "bytes"))).toEqual(
      Buffer.from(seededBytes(50_000, 12)),
    );
    const insert = [
      "insert",
      "--rootless",
      "--image",
      `${path}:1`,
      "--tag",
      "2",
      join(folder, "new-file"),
      "/new-file",
    ];
    await run(umoci, insert, folder);
    const changed = await digestsIn(layoutAt(path), "2");
    expect(changed.all).toHaveLength((await digestsIn(layoutAt(path), "1")).all.length + 1);
    await run(umoci, ["gc", "--layout", path], folder);
    expect(await digestsIn(layoutAt(path), "2")).toEqual(changed);
  }),
);

testWithPeers(["skopeo"], "skopeo writes into our layout, and into archives that we read", ({ skopeo }) =>
  withFolder({}, async (folder) => {
    const backend = new MemoryBackend();
    const path = join(folder, "layout");
    const image = addRealImage(backend);
    await fill(layoutAt(path), backend, [{ manifest: image, tag: "1" }]);
    const wanted = await digestsIn(layoutAt(path), "1");
    await run(skopeo, ["--insecure-policy", "copy", `oci:${path}:1`, `oci:${path}:example.org/app:2`], folder);
    expect(await digestsIn(layoutAt(path), "2")).toEqual(wanted);
    expect(await digestsIn(layoutAt(path), "example.org/app:2")).toEqual(wanted);
    await run(skopeo, ["--insecure-policy", "copy", `oci:${path}:1`, `oci-archive:${folder}/theirs.tar`], folder);
    expect(await digestsIn(archiveAt(join(folder, "theirs.tar")), undefined)).toEqual(wanted);
    await run(
      skopeo,
      ["--insecure-policy", "copy", `oci:${path}:1`, `docker-archive:${folder}/docker.tar:app:1`],
      folder,
    );
    const docker = archiveAt(join(folder, "docker.tar")).resolve(undefined, io);
    await expect(docker).rejects.toMatchObject({ code: "unsupported-content" });
  }),
);

describeWithPeers(["oras"], "oras", ({ oras }) => {
  test("finds the referrers that we wrote, in a layout and in an archive", () =>
    withFolder({}, async (folder) => {
      const backend = new MemoryBackend();
      const image = addRealImage(backend);
      const signature = addImage(backend, {
        seed: 5,
        subject: image.descriptor,
        artifactType: "application/vnd.example.sig",
      });
      const roots = [{ manifest: image, tag: "1" }];
      await fill(layoutAt(join(folder, "layout")), backend, roots);
      await fill(new ArchiveTarget(join(folder, "x.tar"), storePorts), backend, roots);
      for (const path of ["layout", "x.tar"]) {
        const listed = JSON.parse(
          await run(oras, ["discover", "--format", "json", "--oci-layout", `${join(folder, path)}:1`], folder),
        );
        expect(listed.referrers.map(({ digest }: Descriptor) => digest)).toEqual([signature.descriptor.digest]);
      }
    }));

  test("attaches to our layout, and we find it and keep it", () =>
    withFolder({ "sbom.json": "{}" }, async (folder) => {
      const backend = new MemoryBackend();
      const image = addRealImage(backend);
      const path = join(folder, "layout");
      await fill(layoutAt(path), backend, [{ manifest: image, tag: "1" }]);
      const before = await digestsIn(layoutAt(path), "1");
      const type = "application/vnd.example.sbom";
      await run(
        oras,
        [
          "attach",
          "--disable-path-validation",
          "--oci-layout",
          `${path}:1`,
          "--artifact-type",
          type,
          `${folder}/sbom.json`,
        ],
        folder,
      );
      const { entries } = await layoutAt(path).referrers(image.descriptor, { artifactType: type }, io);
      expect(await Array.fromAsync(entries)).toHaveLength(1);
      const after = await digestsIn(layoutAt(path), "1");
      expect(after.all.length).toBeGreaterThan(before.all.length);
      await fill(layoutAt(path), backend, [{ manifest: image, tag: "2" }]);
      expect(await digestsIn(layoutAt(path), "2")).toEqual(after);
    }));
});

testWithPeers(["regctl"], "regctl attaches to our layout, exports it, and we read both", ({ regctl }) =>
  withFolder({ "sbom.json": "{}" }, async (folder) => {
    const backend = new MemoryBackend();
    const image = addRealImage(backend);
    const path = join(folder, "layout");
    await fill(layoutAt(path), backend, [{ manifest: image, tag: "1" }]);
    const before = await digestsIn(layoutAt(path), "1");
    await run(regctl, ["image", "export", `ocidir://${path}:1`, join(folder, "theirs.tar")], folder);
    expect(await digestsIn(archiveAt(join(folder, "theirs.tar")), undefined)).toEqual(before);
    const put = [
      "artifact",
      "put",
      "--artifact-type",
      "application/vnd.example",
      "--subject",
      `ocidir://${path}:1`,
      "-f",
      join(folder, "sbom.json"),
    ];
    await run(regctl, put, folder);
    const { entries } = await layoutAt(path).referrers(image.descriptor, {}, io);
    expect(await Array.fromAsync(entries)).toHaveLength(1);
    expect((await digestsIn(layoutAt(path), undefined)).all.length).toBeGreaterThan(before.all.length);
  }),
);

testWithPeers(["crane"], "crane pulls a layout that we read, and pushes one that we wrote", ({ crane }) =>
  withFolder({}, async (folder) => {
    await mkdir(join(folder, "registry"));
    const registry = await startRegistry("crane", { dir: join(folder, "registry") });
    try {
      const backend = new MemoryBackend();
      const index = platforms(backend);
      const path = join(folder, "ours");
      await fill(layoutAt(path), backend, [{ manifest: index, tag: "1" }]);
      const pushed = await run(crane, ["push", "--index", path, `${registry.host}/app:1`], folder);
      expect(pushed).toContain("@sha256:");
      await run(
        crane,
        ["pull", "--format=oci", `${registry.host}/app@${index.descriptor.digest}`, join(folder, "theirs")],
        folder,
      ).catch(
        // Older ones wrap the index of a push in the layout's own
        () => run(crane, ["pull", "--format=oci", `${registry.host}/app:1`, join(folder, "theirs")], folder),
      );
      const found = await digestsIn(layoutAt(join(folder, "theirs")), undefined);
      const wanted = await digestsIn(layoutAt(path), "1");
      for (const digest of wanted.all) expect(found.all).toContain(digest);
    } finally {
      await registry.stop();
    }
  }),
);

describeWithPeers(["tar"], "GNU tar", ({ tar }) => {
  for (const format of ["gnu", "posix"]) {
    test(`packs a layout with sha512 in its ${format} format, and we read it`, () =>
      withFolder({}, async (folder) => {
        const backend = new MemoryBackend();
        const path = join(folder, "layout");
        await fill(layoutAt(path), backend, [{ manifest: longDigests(backend), tag: "1" }]);
        const wanted = await digestsIn(layoutAt(path), "1");
        for (const [name, flag] of [
          ["x.tar", "--no-auto-compress"],
          ["x.tar.gz", "--gzip"],
        ] as const) {
          await run(tar, ["-C", path, `--format=${format}`, flag, "-cf", join(folder, name), "."], folder);
          expect(await digestsIn(archiveAt(join(folder, name)), "1")).toEqual(wanted);
        }
      }));
  }

  test("unpacks our archive to the files of our layout", () =>
    withFolder({}, async (folder) => {
      const backend = new MemoryBackend();
      const roots = [
        { manifest: longDigests(backend), tag: "long" },
        { manifest: platforms(backend), tag: "multi" },
      ];
      await fill(layoutAt(join(folder, "layout")), backend, roots);
      await rm(join(folder, "layout", ".lock"));
      await fill(new ArchiveTarget(join(folder, "x.tar"), storePorts), backend, roots);
      await mkdir(join(folder, "unpacked"));
      await run(tar, ["-C", join(folder, "unpacked"), "-xf", join(folder, "x.tar")], folder);
      const files = await filesBelow(join(folder, "layout"));
      expect(await filesBelow(join(folder, "unpacked"))).toEqual(files);
      for (const file of files) {
        const [one, two] = [
          await readFile(join(folder, "layout", file)),
          await readFile(join(folder, "unpacked", file)),
        ];
        expect(hexOf("sha256", one)).toBe(hexOf("sha256", two));
      }
      await cp(join(folder, "unpacked"), join(folder, "moved"), { recursive: true });
      expect((await digestsIn(layoutAt(join(folder, "moved")), "multi")).root).toBe(
        roots[1]?.manifest.descriptor.digest ?? "",
      );
    }));
});
