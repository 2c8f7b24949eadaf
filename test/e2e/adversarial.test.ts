import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmod, mkdtemp, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import {
  archiveParts,
  type HostileAnswer,
  type HostileGraph,
  hostileGraph,
  hostileRegistry,
  layoutFiles,
  plainManifest,
  sha256,
  spoiled,
  writeBelow,
} from "../support/hostile.ts";
import { manifestWith, minimalManifest } from "../support/manifest-text.ts";
import { runLibrary } from "../support/program.ts";
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

interface RegistryCase extends Expected {
  readonly graph?: HostileGraph;
  readonly answer: HostileAnswer;
  /** What is copied, `HOST/a:1` unless told. */
  readonly reference?: string;
}

const registries: readonly RegistryCase[] = [
  {
    row: 14,
    name: "a manifest that says it has 5 MiB",
    code: "limit-exceeded",
    answer: onManifest((_, response) => void response.writeHead(200, headers(5 << 20)).end(Buffer.alloc(5 << 20, 32))),
  },
  { row: 14, name: "a manifest without an end", code: "limit-exceeded", answer: onManifest(endless) },
  {
    row: 25,
    name: "another manifest than the digest's",
    code: "digest-mismatch",
    reference: `a@sha256:${"0".repeat(64)}`,
    answer: onManifest(anotherManifest),
  },
  {
    row: 25,
    name: "other bytes for a blob",
    code: "digest-mismatch",
    answer: onBlob((_, response) => void response.end("A layer that nobody unpacks\n")),
  },
  {
    row: 28,
    name: "a redirect to a file",
    code: "insecure-refused",
    answer: onBlob(redirect(() => "file:///etc/passwd")),
  },
  {
    row: 28,
    name: "a redirect in a circle",
    code: "registry-error",
    answer: onBlob(redirect((request) => request.url ?? "")),
  },
  {
    row: 29,
    name: "a realm that is no host of ours",
    code: "insecure-refused",
    answer: challenge('Bearer realm="http://auth.example.org/token",service="s"'),
  },
  {
    row: 30,
    name: "a challenge with a megabyte of quotes",
    code: "unauthorized",
    answer: challenge(`Bearer realm="${'\\"'.repeat(4000)}`),
  },
  { row: 31, name: "a token that is a page", code: "registry-error", answer: tokens("<html>") },
  {
    row: 31,
    name: "a token with a line end",
    code: "registry-error",
    answer: tokens(JSON.stringify({ token: "a\r\nb: c" })),
  },
  {
    row: 43,
    name: "a blob that is longer than it says",
    code: "size-mismatch",
    answer: onBlob((_, response) => void response.end(Buffer.alloc(100, 97))),
  },
  {
    row: 43,
    name: "a manifest with 204",
    code: "registry-error",
    answer: onManifest((_, response) => void response.writeHead(204).end()),
  },
  {
    row: 45,
    name: "an error that paints the terminal",
    code: "registry-error",
    answer: onManifest(
      (_, response) =>
        void response
          .writeHead(400)
          .end(JSON.stringify({ errors: [{ code: "X", message: "\u001b[31m\u001b]0;title\u0007\r\u202e red" }] })),
    ),
  },
];

describe("adversarial input to the executable", () => {
  let dir = "";
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), "library-adversarial-"));
  });
  afterAll(() => rm(dir, { recursive: true, force: true }));

  /** It is refused with the code, in words that leave the terminal alone, and nothing is at the destination. */
  async function expectRefused(source: string, code: string, folder: string): Promise<void> {
    for (const to of ["oci:out:1", "oci-archive:out.tar:1"]) {
      const { status, stdout, stderr } = await runLibrary(["copy", "--json", source, to], { cwd: folder });
      const { errors } = JSON.parse(stdout.toString());
      expect({ status, code: errors[0]?.code, to }).toEqual({
        status: code === "ambiguous-reference" ? 2 : 3,
        code,
        to,
      });
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
      expect(stderr).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f\u0080-\u009f\u202a-\u202e]/);
    }
    const index = await readFile(join(folder, "out/index.json"), "utf8").catch(() => '{"manifests":[]}');
    expect(JSON.parse(index).manifests).toEqual([]);
    expect(await readFile(join(folder, "out.tar")).catch(() => "absent")).toBe("absent");
  }

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

  test.each(registries)(
    "row $row: a registry with $name is refused with $code",
    async ({ graph, answer, reference, code }) => {
      const folder = await mkdtemp(join(dir, "registry-"));
      const registry = await hostileRegistry(graph ?? good, answer);
      try {
        await expectRefused(`${registry.host}/${reference ?? "a:1"}`, code, folder);
      } finally {
        await registry.stop();
      }
    },
    timeoutMs,
  );

  test(
    "row 15: tags that lead in a circle of pages end with registry-error",
    async () => {
      const registry = await hostileRegistry(good, (request, response) => {
        if (!request.url?.includes("/tags/list")) return false;
        response.writeHead(200, { "content-type": "application/json", link: `<${request.url}>; rel="next"` });
        response.end(JSON.stringify({ name: "a", tags: ["1"] }));
        return true;
      });
      try {
        const { status, stdout } = await runLibrary(["tags", "--json", `${registry.host}/a`]);
        expect({ status, code: JSON.parse(stdout.toString()).errors[0]?.code }).toEqual({
          status: 3,
          code: "registry-error",
        });
      } finally {
        await registry.stop();
      }
    },
    timeoutMs,
  );

  test(
    "row 20: __proto__ and constructor are keys like others",
    async () => {
      const folder = await mkdtemp(join(dir, "keys-"));
      await writeFile(join(folder, "file"), "x");
      const own = ["__proto__=a", "constructor=b", "toString=c"];
      const flags = own.flatMap((pair) => ["--label", pair, "--annotation", pair]);
      const { status } = await runLibrary(["append", "--layer", ".:/srv", ...flags, "-o", "oci:out:1"], {
        cwd: folder,
      });
      expect(status).toBe(0);
      for (const flag of ["--raw", "--config"]) {
        const { stdout } = await runLibrary(["inspect", flag, "oci:out:1"], { cwd: folder });
        for (const pair of own) expect(stdout.toString()).toContain(`"${pair.replace("=", '":"')}"`);
      }
    },
    timeoutMs,
  );

  test(
    "row 26: a tag that changes between requests gives one image that is whole",
    async () => {
      const folder = await mkdtemp(join(dir, "moving-"));
      // What the tag named before can still be had by its digest
      const known = new Map<string, Buffer>();
      const registry = await hostileRegistry(good, (request, response) => {
        const reference = /\/manifests\/(.+)/.exec(request.url ?? "")?.[1];
        if (reference === undefined || (reference !== "1" && !known.has(reference))) return false;
        const next = JSON.stringify({ ...plainManifest(), annotations: { asked: `${known.size}` } });
        const bytes = known.get(reference) ?? Buffer.from(next);
        known.set(sha256(bytes), bytes);
        response.writeHead(200, { ...headers(bytes.byteLength), "docker-content-digest": sha256(bytes) });
        response.end(request.method === "HEAD" ? undefined : bytes);
        return true;
      });
      try {
        const { status, stderr } = await runLibrary(["copy", `${registry.host}/a:1`, "oci:out:1"], { cwd: folder });
        expect({ status, stderr: status === 0 ? "" : stderr }).toEqual({ status: 0, stderr: "" });
        const { manifests } = JSON.parse(await readFile(join(folder, "out/index.json"), "utf8"));
        expect(sha256(await readFile(join(folder, "out", blob(manifests[0].digest))))).toBe(manifests[0].digest);
      } finally {
        await registry.stop();
      }
    },
    timeoutMs,
  );

  test(
    "row 34: a base whose config lists other layers than its manifest is refused",
    async () => {
      const folder = await mkdtemp(join(dir, "base-"));
      const layers = [...plainManifest().layers, ...plainManifest().layers];
      await writeBelow(join(folder, "in"), layoutFiles(hostileGraph({ ...plainManifest(), layers })));
      const argv = ["append", "--json", "--base", "oci:in:1", "--layer", ".:/srv", "-o", "oci:out:1"];
      const { status, stdout } = await runLibrary(argv, { cwd: folder });
      expect({ status, code: JSON.parse(stdout.toString()).errors[0]?.code }).toEqual({
        status: 3,
        code: "malformed-content",
      });
    },
    timeoutMs,
  );

  test.each(
    [
      ["an alias bomb", aliasBomb()],
      ["a tag of JavaScript", manifestWith("image: viewer", 'image: !!js/function "function(){}"')],
      ["a duplicate key", manifestWith("  image: viewer", "  image: viewer\n  image: viewer")],
      ["a tab for indentation", manifestWith("  image: viewer", "\timage: viewer")],
      ["two documents", `${minimalManifest}---\na: 1\n`],
      ["50 MB", `${minimalManifest}# ${"x".repeat(50_000_000)}\n`],
      ["yes for a list", manifestWith("kind: [headless]", "kind: yes")],
      ["a tag that begins with a dash", manifestWith("- latest # moving", '- "-x"')],
    ].map(([name = "", text = ""]) => ({ name, text })),
  )(
    "rows 47 and 49: a manifest file with $name is refused with invalid-manifest-file",
    async ({ text }) => {
      const folder = await mkdtemp(join(dir, "yaml-"));
      await writeBelow(folder, {
        ".library.manifest.yaml": text,
        Dockerfile: "FROM scratch\n",
      });
      const { status, stdout } = await runLibrary(["validate", "--json"], { cwd: folder });
      const { errors } = JSON.parse(stdout.toString());
      expect({ status, code: errors[0]?.code }).toEqual({ status: 2, code: "invalid-manifest-file" });
    },
    timeoutMs,
  );

  test(
    "row 50: a credential helper is run by its plain name only, and its secrets stay secret",
    async () => {
      const folder = await mkdtemp(join(dir, "helper-"));
      await writeFile(
        join(folder, "docker-credential-leaky"),
        '#!/bin/sh\necho "secret-of-ada" >&2\necho "secret-of-ada"\nexit 1\n',
      );
      await chmod(join(folder, "docker-credential-leaky"), 0o755);
      const registry = await hostileRegistry(good, challenge('Basic realm="r"'));
      const env = { PATH: `${folder}:${process.env.PATH}`, DOCKER_CONFIG: folder };
      try {
        for (const credsStore of ["../leaky", "leaky"]) {
          await writeFile(join(folder, "config.json"), JSON.stringify({ credsStore }));
          const { status, stdout, stderr } = await runLibrary(["tags", "--json", "--debug", `${registry.host}/a`], {
            env,
          });
          expect([2, 3]).toContain(status);
          expect(`${stdout}${stderr}`).not.toContain("secret-of-ada");
        }
      } finally {
        await registry.stop();
      }
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

function aliasBomb(): string {
  const levels = Array.from(
    { length: 12 },
    (_, at) => `a${at + 1}: &a${at + 1} [${Array(10).fill(`*a${at}`).join(", ")}]`,
  );
  return `a0: &a0 [x]\n${levels.join("\n")}\n`;
}

type Answering = (request: IncomingMessage, response: ServerResponse) => void;

function onManifest(answering: Answering): HostileAnswer {
  return (request, response) => {
    if (!request.url?.includes("/manifests/")) return false;
    answering(request, response);
    return true;
  };
}

function onBlob(answering: Answering): HostileAnswer {
  return (request, response) => {
    if (!request.url?.includes(`/blobs/${layer}`)) return false;
    answering(request, response);
    return true;
  };
}

function headers(length: number) {
  return { "content-type": plainManifest().mediaType, "content-length": length };
}

function endless(_: IncomingMessage, response: ServerResponse): void {
  response.writeHead(200, { "content-type": plainManifest().mediaType });
  const write = (): void => {
    while (!response.destroyed && response.write(Buffer.alloc(1 << 16, 32)));
  };
  response.on("drain", write);
  write();
}

function anotherManifest(_: IncomingMessage, response: ServerResponse): void {
  const digest = `sha256:${"0".repeat(64)}`;
  response.writeHead(200, { ...headers(good.root.bytes.byteLength), "docker-content-digest": digest });
  response.end(good.root.bytes);
}

function redirect(to: (request: IncomingMessage) => string): Answering {
  return (request, response) => void response.writeHead(307, { location: to(request) }).end();
}

function challenge(text: string): HostileAnswer {
  return (_, response) => {
    response.writeHead(401, { "www-authenticate": text }).end("{}");
    return true;
  };
}

/** Asks for a token of its own, which is this text. */
function tokens(text: string): HostileAnswer {
  return (request, response) => {
    if (request.url?.startsWith("/token")) response.end(text);
    else {
      const realm = `http://${request.headers.host}/token`;
      response.writeHead(401, { "www-authenticate": `Bearer realm="${realm}",service="s"` }).end("{}");
    }
    return true;
  };
}
