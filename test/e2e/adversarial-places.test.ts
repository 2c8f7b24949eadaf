import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import {
  archiveParts,
  type HostileGraph,
  hostileGraph,
  hostileRegistry,
  layoutFiles,
  plainManifest,
  sha256,
  spoiled,
  writeBelow,
} from "../support/hostile.ts";
import { runLibrary } from "../support/program.ts";
import { expectRefused } from "../support/refused.ts";
import { makeTar, type TarOptions, type TarPart } from "../support/tar.ts";

const timeoutMs = 60_000;
const good = hostileGraph(plainManifest());
const layer = plainManifest().layers[0]?.digest ?? "";
const blob = (digest: string) => `blobs/${digest.replace(":", "/")}`;

/** What the program must say of hostile content; it is never a success, a crash, or a bug's status. */
interface Expected {
  readonly row: number;
  readonly name: string;
  readonly code: string;
}

interface LayoutCase extends Expected {
  readonly graph?: HostileGraph;
  readonly index?: string;
  /** Spoils the layout as it lies. */
  readonly spoil?: (layout: string) => Promise<void>;
}

const inManifest = "malformed-content";
const layouts: readonly LayoutCase[] = [
  { row: 7, name: "a blob that is a link", code: "malformed-content", spoil: (at) => linked(at, blob(layer)) },
  { row: 7, name: "index.json that is a link", code: "malformed-content", spoil: (at) => linked(at, "index.json") },
  {
    row: 8,
    name: "a blob that is cut",
    code: "size-mismatch",
    spoil: (at) => writeFile(join(at, blob(layer)), "a layer"),
  },
  {
    row: 9,
    name: "a blob of other bytes",
    code: "digest-mismatch",
    spoil: (at) => writeFile(join(at, blob(layer)), "A layer that nobody unpacks\n"),
  },
  ...["-1", "1.5", "1e400", '"28"', "9223372036854775808", "null"].map((size) => ({
    ...{ row: 10, name: `the size ${size}`, code: size === "1e400" ? "malformed-json" : inManifest },
    graph: spoiled(/"size":28/, `"size":${size}`),
  })),
  ...["sha256:../../../etc/passwd", layer.toUpperCase(), layer.slice(0, -1), "sha256:", `${layer}\\n`, "sha256:é"].map(
    (digest) => ({ row: 11, name: `the digest ${digest}`, code: inManifest, graph: spoiled(layer, digest) }),
  ),
  { row: 12, name: "a digest of md5", code: "unsupported-digest", graph: spoiled(layer, `md5:${"0".repeat(32)}`) },
  { row: 17, name: "an index 1000 levels deep", code: "limit-exceeded", graph: nested(1000) },
  { row: 18, name: "a duplicate key", code: "malformed-json", graph: spoiled('"layers"', '"layers":[],"layers"') },
  { row: 19, name: "a key of another case", code: inManifest, graph: spoiled('"layers"', '"Layers":[],"layers"') },
  {
    row: 21,
    name: "a byte order mark",
    code: "malformed-json",
    graph: hostileGraph(`\uFEFF${JSON.stringify(plainManifest())}`),
  },
  { row: 21, name: "bytes that are no UTF-8", code: "malformed-json", graph: hostileGraph(invalidText()) },
  { row: 21, name: "a lone surrogate", code: "malformed-json", graph: spoiled("{", '{"a":"\\ud800",') },
  {
    row: 21,
    name: "bytes behind the end",
    code: "malformed-json",
    graph: hostileGraph(`${JSON.stringify(plainManifest())}{}`),
  },
  {
    row: 21,
    name: "arrays 100,000 deep",
    code: "malformed-json",
    graph: spoiled("{", `{"a":${"[".repeat(100_000)}${"]".repeat(100_000)},`),
  },
  { row: 22, name: "layers and manifests", code: inManifest, graph: spoiled('"layers"', '"manifests":[],"layers"') },
  {
    row: 22,
    name: "the media type of an index",
    code: inManifest,
    graph: spoiled("image.manifest.v1", "image.index.v1"),
  },
  { row: 23, name: "no config", code: inManifest, graph: hostileGraph({ ...plainManifest(), config: undefined }) },
  {
    row: 23,
    name: "layers that are no list",
    code: inManifest,
    graph: hostileGraph({ ...plainManifest(), layers: "none" }),
  },
  {
    row: 23,
    name: "an annotation that is a number",
    code: inManifest,
    graph: hostileGraph({ ...plainManifest(), annotations: { a: 1 } }),
  },
  { row: 40, name: "a name of two digests", code: "ambiguous-reference", index: twoNames() },
  {
    row: 41,
    name: "an oci-layout of nothing",
    code: "malformed-content",
    spoil: (at) => writeFile(join(at, "oci-layout"), "{}"),
  },
  {
    row: 41,
    name: "an oci-layout of version 2",
    code: "malformed-content",
    spoil: (at) => writeFile(join(at, "oci-layout"), '{"imageLayoutVersion":"2.0.0"}'),
  },
];

interface ArchiveCase extends Expected {
  readonly change: (parts: TarPart[]) => TarPart[];
  readonly options?: TarOptions;
}

const archives: readonly ArchiveCase[] = [
  ...["../../x", "/abs", "C:\\x", "a/../../b"].map((name) => ({
    ...{ row: 1, name: `an entry ${name}`, code: "malformed-archive" },
    change: (parts: TarPart[]) => [...parts, { name, content: "x" }],
  })),
  ...["1", "2"].map((type) => ({
    ...{ row: 2, name: `a link of type ${type}`, code: "malformed-archive" },
    change: (parts: TarPart[]) => [{ name: "blobs/sha256/x", type, linkName: "/etc/passwd" }, ...parts],
  })),
  ...["3", "6", "S", "Z"].map((type) => ({
    ...{ row: 3, name: `an entry of type ${type}`, code: "malformed-archive" },
    change: (parts: TarPart[]) => [...parts, { name: "x", type }],
  })),
  {
    row: 4,
    name: "index.json twice",
    code: "malformed-archive",
    change: (parts) => [...parts, { name: "index.json", content: "{}" }],
  },
  {
    row: 5,
    name: "a wrong checksum",
    code: "malformed-archive",
    change: (parts) => [...parts, { name: "x", badChecksum: true }],
  },
  { row: 5, name: "no end", code: "malformed-archive", change: (parts) => parts, options: { endBlocks: 0 } },
  {
    row: 5,
    name: "bytes behind the end",
    code: "malformed-archive",
    change: (parts) => parts,
    options: { trailer: Buffer.from("more") },
  },
  {
    row: 6,
    name: "a pax header of 2 MiB",
    code: "malformed-archive",
    change: (parts) => [{ name: "p", type: "x", content: Buffer.alloc(2 << 20, 97) }, ...parts],
  },
];

describe("adversarial layouts and archives", () => {
  let dir = "";
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), "library-adversarial-"));
  });
  afterAll(() => rm(dir, { recursive: true, force: true }));

  test(
    "what is spoiled here is copied where it is not",
    async () => {
      const folder = await mkdtemp(join(dir, "good-"));
      await writeBelow(join(folder, "in"), layoutFiles(good));
      await writeFile(join(folder, "in.tar"), makeTar(archiveParts(layoutFiles(good))));
      const registry = await hostileRegistry(good);
      try {
        for (const [at, source] of ["oci:in:1", "oci-archive:in.tar:1", `${registry.host}/a:1`].entries()) {
          const { status, stderr } = await runLibrary(["copy", source, `oci:out-${at}:1`], { cwd: folder });
          expect({ status, stderr: status === 0 ? "" : stderr }).toEqual({ status: 0, stderr: "" });
        }
      } finally {
        await registry.stop();
      }
    },
    timeoutMs,
  );

  test.each(layouts)(
    "row $row: a layout with $name is refused with $code",
    async ({ graph, index, spoil, code }) => {
      const folder = await mkdtemp(join(dir, "layout-"));
      await writeBelow(join(folder, "in"), layoutFiles(graph ?? good, index));
      await spoil?.(join(folder, "in"));
      await expectRefused("oci:in:1", code, folder);
    },
    timeoutMs,
  );

  test.each(archives)(
    "row $row: an archive with $name is refused with $code",
    async ({ change, options, code }) => {
      const folder = await mkdtemp(join(dir, "archive-"));
      const tar = makeTar(change(archiveParts(layoutFiles(good))), options);
      await writeFile(join(folder, "in.tar"), tar);
      await writeFile(join(folder, "in.tar.gz"), gzipSync(tar));
      await expectRefused("oci-archive:in.tar:1", code, folder);
      await expectRefused("oci-archive:in.tar.gz:1", code, folder);
    },
    timeoutMs,
  );
});

async function linked(layout: string, name: string): Promise<void> {
  await rename(join(layout, name), join(layout, "moved"));
  await symlink(join(layout, "moved"), join(layout, name));
}

function nested(depth: number): HostileGraph {
  let inner = Buffer.from(JSON.stringify(plainManifest()));
  let mediaType: string = plainManifest().mediaType;
  const all: Buffer[] = [];
  for (let level = 0; level < depth; level++) {
    all.push(inner);
    const manifests = [{ mediaType, digest: sha256(inner), size: inner.byteLength }];
    mediaType = "application/vnd.oci.image.index.v1+json";
    inner = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, manifests }));
  }
  return hostileGraph(JSON.parse(inner.toString()), all);
}

function invalidText(): Buffer {
  return Buffer.concat([
    Buffer.from('{"a":"'),
    Buffer.from([0xff, 0xc0]),
    Buffer.from(`",${JSON.stringify(plainManifest()).slice(1)}`),
  ]);
}

function twoNames(): string {
  const { mediaType } = plainManifest();
  const manifests = ["0", "1"].map((digit) => ({
    ...{ mediaType, digest: `sha256:${digit.repeat(64)}`, size: 100 },
    annotations: { "org.opencontainers.image.ref.name": "1" },
  }));
  return JSON.stringify({ schemaVersion: 2, manifests });
}
