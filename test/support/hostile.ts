import { createHash } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { dirname, join } from "node:path";
import type { TarPart } from "./tar.ts";

const layer = Buffer.from("a layer that nobody unpacks\n");
const config = Buffer.from(
  JSON.stringify({ architecture: "amd64", os: "linux", rootfs: { type: "layers", diff_ids: [sha256(layer)] } }),
);
const types = {
  index: "application/vnd.oci.image.index.v1+json",
  manifest: "application/vnd.oci.image.manifest.v1+json",
  config: "application/vnd.oci.image.config.v1+json",
  layer: "application/vnd.oci.image.layer.v1.tar",
} as const;

/** `sha256:…` of bytes. */
export function sha256(bytes: Uint8Array | string): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

/** Blobs and manifests by their digests, and the root. Everything has its right digest; what it says may be wrong. */
export interface HostileGraph {
  readonly root: { readonly bytes: Buffer; readonly mediaType: string };
  readonly blobs: Readonly<Record<string, Buffer>>;
}

/** The manifest of a plain image, as an object that a test spoils. */
export function plainManifest() {
  return {
    schemaVersion: 2,
    mediaType: types.manifest as string,
    config: { mediaType: types.config as string, digest: sha256(config), size: config.byteLength },
    layers: [{ mediaType: types.layer as string, digest: sha256(layer), size: layer.byteLength }],
  };
}

/** A graph with this root, which is sent as it stands where it is text; the config and the layer are there always. */
export function hostileGraph(root: object | string | Buffer, more: readonly (string | Buffer)[] = []): HostileGraph {
  const bytes = Buffer.isBuffer(root) ? root : Buffer.from(typeof root === "string" ? root : JSON.stringify(root));
  const isIndex = typeof root === "object" && "manifests" in root;
  const all = [bytes, layer, config, ...more.map((each) => Buffer.from(each))];
  return {
    root: { bytes, mediaType: isIndex ? types.index : types.manifest },
    blobs: Object.fromEntries(all.map((each) => [sha256(each), each])),
  };
}

/** The plain image with one piece of its manifest's text replaced. */
export function spoiled(before: string | RegExp, after: string): HostileGraph {
  const text = JSON.stringify(plainManifest());
  const changed = text.replace(before, () => after);
  if (changed === text) throw new Error(`the manifest does not hold ${before}`);
  return hostileGraph(changed);
}

/** The files of a layout that has the root under the tag `1`; `index` replaces the text of index.json. */
export function layoutFiles(graph: HostileGraph, index?: string): Record<string, Buffer | string> {
  const entry = {
    mediaType: graph.root.mediaType,
    digest: sha256(graph.root.bytes),
    size: graph.root.bytes.byteLength,
    annotations: { "org.opencontainers.image.ref.name": "1" },
  };
  const blobs = Object.entries(graph.blobs).map(([digest, bytes]) => [`blobs/${digest.replace(":", "/")}`, bytes]);
  return {
    ...Object.fromEntries(blobs),
    "oci-layout": JSON.stringify({ imageLayoutVersion: "1.0.0" }),
    "index.json": index ?? JSON.stringify({ schemaVersion: 2, manifests: [entry] }),
  };
}

/** Writes files below a folder. */
export async function writeBelow(folder: string, files: Readonly<Record<string, Buffer | string>>): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), content);
  }
}

/** The entries of an archive that holds the layout, `index.json` last but one. */
export function archiveParts(files: Readonly<Record<string, Buffer | string>>): TarPart[] {
  return Object.entries(files).map(([name, content]) => ({ name, content }));
}

export type HostileAnswer = (request: IncomingMessage, response: ServerResponse) => boolean;

/**
 * A registry on a free port of 127.0.0.1 that serves the graph in any repository under the tag `1`, but for what `answer` takes
 * over.
 */
export async function hostileRegistry(graph: HostileGraph, answer: HostileAnswer = () => false) {
  const server = createServer((request, response) => {
    if (answer(request, response)) return;
    const [, kind, reference = ""] = /\/(manifests|blobs)\/([^?]+)/.exec(request.url ?? "") ?? [];
    if (request.url === "/v2/") return void response.end("{}");
    const bytes = kind === "manifests" && reference === "1" ? graph.root.bytes : graph.blobs[reference];
    if (bytes === undefined) return void response.writeHead(404).end('{"errors":[{"code":"NOT_FOUND"}]}');
    const isRoot = bytes.equals(graph.root.bytes);
    const mediaType = kind === "blobs" ? "application/octet-stream" : isRoot ? graph.root.mediaType : types.manifest;
    response.writeHead(200, { "content-type": mediaType, "content-length": bytes.byteLength });
    response.end(request.method === "HEAD" ? undefined : bytes);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the registry has no port");
  return {
    host: `127.0.0.1:${address.port}`,
    stop: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
