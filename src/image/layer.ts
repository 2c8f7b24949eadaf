import { open, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import type { Content, Io } from "../core/content.ts";
import { LibraryError } from "../core/error.ts";
import { startHash } from "../core/hashing.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import type { Digest } from "../oci/digest.ts";
import { mediaTypes } from "../oci/media-type.ts";
import type { PlatformPattern } from "../oci/platform.ts";
import { fileContent } from "../store/file-content.ts";
import { type Compression, compress, decompress, detectCompression, rechunk } from "../tar/codec.ts";
import { type TarMember, tarBytes } from "../tar/members.ts";
import { checkedTar } from "../tar/parts.ts";
import { folderMembers, readFile } from "./folder-members.ts";
import type { LayerSpec } from "./layer-spec.ts";
import { prefixedMembers, prefixFolders } from "./prefix.ts";

/** The media type of a layer in each compression: image-spec v1.1.1, "Image Layer Filesystem Changeset". */
const layerMediaTypes: Readonly<Record<Compression, string>> = {
  gzip: mediaTypes.ociLayerGzip,
  zstd: mediaTypes.ociLayerZstd,
};

/** The most that the content of one layer may unpack to, in bytes: 256 GiB. */
const maxUnpackedBytes = 256 * 1024 ** 3;

/** How layers are made. */
export interface LayerOptions {
  readonly compression: Compression;
  /** Seconds since 1970, given to what comes from a folder. */
  readonly mtime: number;
  /**
   * Whether the folders of a prefix get entries of their own. Over a base they should not: an entry would change the
   * owner and the mode that the base gave to /tmp or /home/user.
   */
  readonly prefixFolders: boolean;
  /** An existing folder for the layer's file, which whoever calls removes. */
  readonly temporary: string;
  /** The file's name in there. */
  readonly fileName: string;
}

/** A layer that lies in a file. */
export interface Layer {
  readonly descriptor: Descriptor;
  /** The digest of the uncompressed tar: image-spec v1.1.1, "Layer DiffID". */
  readonly diffId: Digest;
  readonly content: Content;
  /** For the history: what was added, without paths of this machine. */
  readonly createdBy: string;
  /** The images that get it; all where it is absent. */
  readonly platform?: PlatformPattern;
}

/**
 * Makes one layer, streaming, in bounded memory. A folder becomes a tar as `folderMembers` says; a tar stays byte for
 * byte, and so does its compressed form where it is the one wanted. Below a prefix a tar is written anew, its entries
 * keeping all they say. Equal input gives an equal diff_id in every runtime, and an equal digest from one executable.
 * Throws `not-found`, `invalid-input`, `malformed-archive`, `limit-exceeded`, `io-error`.
 */
export async function makeLayer(spec: LayerSpec, options: LayerOptions, io: Io): Promise<Layer> {
  const layer = await readLayer(spec, options, io);
  return spec.platform === undefined ? layer : { ...layer, platform: spec.platform };
}

async function readLayer(spec: LayerSpec, options: LayerOptions, io: Io): Promise<Layer> {
  const found = await stat(spec.path).catch((cause: unknown) => {
    throw new LibraryError("invalid-input", `Cannot add layer ${spec.path}: there is no such file or folder`, {
      cause,
    });
  });
  const createdBy = `library append ${found.isDirectory() ? "folder" : basename(spec.path)} at /${spec.prefix}`;
  if (found.isDirectory()) {
    const members = folderMembers(spec.path, { prefix: spec.prefix, mtime: options.mtime }, io);
    return { ...(await write(tarBytes(withFolders(members, spec, options)), options, io)), createdBy };
  }
  if (!found.isFile()) {
    throw new LibraryError("invalid-input", `Cannot add layer ${spec.path}: neither a folder nor a file`);
  }
  const packed = detectCompression(await head(spec.path));
  if (packed === options.compression && spec.prefix === "") {
    return { ...(await keep(spec.path, packed, io)), createdBy };
  }
  const name = spec.path;
  const raw = readFile(spec.path, io);
  const tar = packed === "none" ? raw : decompress(raw, packed, { name, maxBytes: maxUnpackedBytes });
  const bytes =
    spec.prefix === ""
      ? checkedTar(tar, name)
      : tarBytes(withFolders(prefixedMembers(tar, { prefix: spec.prefix, name }), spec, options));
  return { ...(await write(bytes, options, io)), createdBy };
}

async function* withFolders(
  members: AsyncIterable<TarMember>,
  spec: LayerSpec,
  options: LayerOptions,
): AsyncGenerator<TarMember> {
  if (options.prefixFolders) yield* prefixFolders(spec.prefix, options.mtime);
  yield* members;
}

/** A tar that is compressed as wanted: hashed where it lies, twice in one reading. */
async function keep(path: string, compression: Compression, io: Io): Promise<Omit<Layer, "createdBy">> {
  const packed = measure();
  const unpacked = measure();
  const tar = decompress(packed.pass(readFile(path, io)), compression, { name: path, maxBytes: maxUnpackedBytes });
  for await (const _ of unpacked.pass(checkedTar(tar, path)));
  return result(path, compression, packed.result(), unpacked.result().digest);
}

async function write(tar: AsyncIterable<Uint8Array>, options: LayerOptions, io: Io): Promise<Omit<Layer, "createdBy">> {
  const path = join(options.temporary, options.fileName);
  const packed = measure();
  const unpacked = measure();
  const file = await open(path, "wx", 0o644);
  try {
    for await (const chunk of packed.pass(compress(unpacked.pass(rechunk(tar)), options.compression))) {
      io.signal.throwIfAborted();
      await writeAll(file, chunk);
    }
  } finally {
    await file.close();
  }
  return result(path, options.compression, packed.result(), unpacked.result().digest);
}

async function writeAll(file: Awaited<ReturnType<typeof open>>, chunk: Uint8Array): Promise<void> {
  for (let at = 0; at < chunk.byteLength; ) {
    at += (await file.write(chunk, at, chunk.byteLength - at)).bytesWritten;
  }
}

interface Measured {
  readonly digest: Digest;
  readonly size: number;
}

/** Counts and hashes what passes. */
function measure(): { pass(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array>; result(): Measured } {
  const hash = startHash("sha256");
  let size = 0;
  return {
    async *pass(source) {
      for await (const chunk of source) {
        hash.update(chunk);
        size += chunk.byteLength;
        yield chunk;
      }
    },
    result: () => ({ digest: `sha256:${hash.hex()}`, size }),
  };
}

function result(path: string, compression: Compression, packed: Measured, diffId: Digest): Omit<Layer, "createdBy"> {
  const descriptor = { mediaType: layerMediaTypes[compression], digest: packed.digest, size: packed.size };
  return { descriptor, diffId, content: fileContent(path, packed.size) };
}

async function head(path: string): Promise<Uint8Array> {
  const file = await open(path, "r");
  try {
    const { bytesRead, buffer } = await file.read(new Uint8Array(4), 0, 4, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}
