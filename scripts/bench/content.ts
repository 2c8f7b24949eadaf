import { createCipheriv, createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, rename, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import type { Descriptor } from "../../src/oci/descriptor.ts";
import type { Digest } from "../../src/oci/digest.ts";
import { blobPath, indexFile, layoutFile, layoutVersion } from "../../src/oci/layout.ts";
import { describe, makeManifest } from "../../src/oci/make.ts";
import type { Manifest } from "../../src/oci/manifest.ts";
import { mediaTypes } from "../../src/oci/media-type.ts";

/** A layout with one entry, tagged `tag`, that every tool copies. */
export interface Content {
  readonly folder: string;
  /** Of the root manifest. */
  readonly digest: Digest;
}

/** The tag of the only entry. */
export const contentTag = "bench";

const pieceBytes = 1 << 20;

/** Writes a layout of one image with `layers` layers of `layerBytes` bytes that no compression makes smaller. */
export async function writeImage(folder: string, layers: number, layerBytes: number): Promise<Content> {
  await startLayout(folder);
  const image = await addImage(folder, "amd64", layers, layerBytes, 0);
  return finishLayout(folder, image.descriptor);
}

/** Writes a layout of one index with `images` images, no two of which share a layer. */
export async function writeIndex(folder: string, images: number, layers: number, layerBytes: number): Promise<Content> {
  await startLayout(folder);
  const manifests: Descriptor[] = [];
  for (let at = 0; at < images; at++) {
    const architecture = `bench${at}`;
    const { descriptor } = await addImage(folder, architecture, layers, layerBytes, 1000 + at * layers);
    manifests.push({ ...descriptor, platform: { os: "linux", architecture } });
  }
  const index = makeManifest({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests });
  await writeFile(join(folder, blobPath(index.descriptor.digest)), index.bytes);
  return finishLayout(folder, index.descriptor);
}

async function startLayout(folder: string): Promise<void> {
  await mkdir(join(folder, "blobs", "sha256"), { recursive: true });
  await writeFile(join(folder, layoutFile), JSON.stringify({ imageLayoutVersion: layoutVersion }));
}

async function finishLayout(folder: string, { mediaType, digest, size }: Descriptor): Promise<Content> {
  const annotations = { "org.opencontainers.image.ref.name": contentTag };
  const index = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociIndex,
    manifests: [{ mediaType, digest, size, annotations }],
  };
  await writeFile(join(folder, indexFile), JSON.stringify(index));
  return { folder, digest };
}

async function addImage(
  folder: string,
  architecture: string,
  layerCount: number,
  layerBytes: number,
  seed: number,
): Promise<Manifest> {
  const layers: Descriptor[] = [];
  const diffIds: string[] = [];
  for (let at = 0; at < layerCount; at++) {
    const { layer, diffId } = await addLayer(folder, layerBytes, seed + at);
    layers.push(layer);
    diffIds.push(diffId);
  }
  const config = { architecture, os: "linux", config: {}, rootfs: { type: "layers", diff_ids: diffIds } };
  const configBytes = new TextEncoder().encode(JSON.stringify(config));
  const configDescriptor = describe(configBytes, mediaTypes.ociConfig);
  await writeFile(join(folder, blobPath(configDescriptor.digest)), configBytes);
  const manifest = makeManifest({
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: configDescriptor,
    layers,
  });
  await writeFile(join(folder, blobPath(manifest.descriptor.digest)), manifest.bytes);
  return manifest;
}

/** A true layer, since some tools look: a tar of one random file, gzipped without compression. */
async function addLayer(
  folder: string,
  bytes: number,
  seed: number,
): Promise<{ readonly layer: Descriptor; readonly diffId: string }> {
  const temporary = join(folder, `layer-${seed}.tmp`);
  const tarHash = createHash("sha256");
  const tar = async function* () {
    for (const piece of tarOfOneFile(`layer-${seed}`, bytes, seed)) {
      tarHash.update(piece);
      yield piece;
    }
  };
  await pipeline(Readable.from(tar()), createGzip({ level: 0 }), createWriteStream(temporary));
  const layerHash = createHash("sha256");
  for await (const piece of createReadStream(temporary)) layerHash.update(piece);
  const digest: Digest = `sha256:${layerHash.digest("hex")}`;
  const { size } = await stat(temporary);
  await rename(temporary, join(folder, blobPath(digest)));
  return {
    layer: { mediaType: mediaTypes.ociLayerGzip, digest, size },
    diffId: `sha256:${tarHash.digest("hex")}`,
  };
}

function* tarOfOneFile(name: string, size: number, seed: number): Iterable<Uint8Array> {
  yield tarHeader(name, size);
  const key = Buffer.alloc(16);
  key.writeUInt32BE(seed);
  const random = createCipheriv("aes-128-ctr", key, Buffer.alloc(16));
  const zeros = Buffer.alloc(pieceBytes);
  for (let left = size; left > 0; left -= pieceBytes)
    yield random.update(zeros.subarray(0, Math.min(left, pieceBytes)));
  // The end of the last block, and the two empty ones that end a tar
  yield Buffer.alloc(((512 - (size % 512)) % 512) + 1024);
}

function tarHeader(name: string, size: number): Uint8Array {
  const block = Buffer.alloc(512);
  block.write(name, 0);
  block.write("0000644\0".padEnd(8), 100);
  block.write("0000000\0", 108);
  block.write("0000000\0", 116);
  block.write(`${size.toString(8).padStart(11, "0")}\0`, 124);
  block.write("00000000000\0", 136);
  block.write("        0", 148);
  block.write("ustar\u000000", 257);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return block;
}
