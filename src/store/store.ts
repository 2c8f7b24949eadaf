import type { Content, Io } from "../core/content.ts";
import { IntegrityError, LibraryError, NotFoundError } from "../core/error.ts";
import { hexOf } from "../core/hashing.ts";
import { maxDocumentBytes } from "../core/json.ts";
import type { Descriptor, Kind, Node } from "../oci/descriptor.ts";
import { type Digest, hashAlgorithm, splitDigest } from "../oci/digest.ts";
import { type Manifest, parseManifest } from "../oci/manifest.ts";
import type { Location } from "../oci/reference.ts";
import type { Entry, RawManifest, Referrers, Source } from "./backend.ts";
import { verifyStream } from "./verify-stream.ts";

/** Reading made safe: what leaves a Store interpreted or handed out has the digest and size it was asked for by. */
export class Store {
  readonly #source: Source;
  readonly #manifests = new Map<Digest, Promise<Manifest>>();

  constructor(source: Source) {
    this.#source = source;
  }

  get name(): string {
    return this.#source.name;
  }

  get location(): Location | undefined {
    return this.#source.location;
  }

  /**
   * The manifest that a tag or digest names, checked and parsed. Without a reference there must be exactly one entry.
   * Throws `not-found`, `ambiguous-reference`, `digest-mismatch`, `malformed-json` or `malformed-content`.
   */
  async resolve(reference: string | undefined, io: Io): Promise<Manifest> {
    const raw = await this.#source.resolve(reference, io);
    if (raw === undefined) {
      throw new NotFoundError(`Cannot find ${this.#label(reference)}: ${this.name} has no such manifest`, {
        hint: `List what is there with "library tags ${this.name}"`,
      });
    }
    const manifest = this.#checked(raw, reference);
    this.#manifests.set(manifest.descriptor.digest, Promise.resolve(manifest));
    return manifest;
  }

  /**
   * The manifest of a descriptor, checked and parsed; kept, so that asking again costs nothing. Throws `blob-missing`
   * where the place lacks it.
   */
  async manifest(descriptor: Descriptor, io: Io): Promise<Manifest> {
    const known = this.#manifests.get(descriptor.digest);
    if (known) return known;
    const reading = this.#readManifest(descriptor, io);
    this.#manifests.set(descriptor.digest, reading);
    reading.catch(() => this.#manifests.delete(descriptor.digest));
    return reading;
  }

  async #readManifest(descriptor: Descriptor, io: Io): Promise<Manifest> {
    if (descriptor.size > maxDocumentBytes) {
      throw new LibraryError(
        "limit-exceeded",
        `Cannot read ${descriptor.digest}: ${descriptor.size} bytes, expected at most ${maxDocumentBytes} of a manifest`,
      );
    }
    const content = await this.#source.read("manifest", descriptor.digest, io);
    if (content === undefined) throw this.#missing({ kind: "manifest", descriptor });
    const bytes = await collect(await content.stream(), maxDocumentBytes, descriptor.digest);
    return this.#checked({ descriptor, bytes }, descriptor.digest);
  }

  /** All bytes of a blob of at most `limit` bytes, checked. */
  async bytes(kind: Kind, descriptor: Descriptor, limit: number, io: Io): Promise<Uint8Array> {
    if (descriptor.size > limit) throw tooLarge(descriptor.digest, limit);
    const content = await this.#source.read(kind, descriptor.digest, io);
    if (content === undefined) throw this.#missing({ kind, descriptor });
    const bytes = await collect(await content.stream(), limit, descriptor.digest);
    check(bytes, descriptor, this.name);
    return bytes;
  }

  /**
   * A stream of the blob's bytes that fails with `digest-mismatch` or `size-mismatch` before its last chunk where they
   * are not what the descriptor says; the caller reads it to the end or cancels it.
   */
  async stream(node: Node, io: Io): Promise<ReadableStream<Uint8Array>> {
    const content = await this.open(node, io);
    return (await content.stream()).pipeThrough(verifyStream(node.descriptor, this.name));
  }

  /** The node's bytes for a target that checks what it stores; unchecked here. Throws `blob-missing`. */
  async open(node: Node, io: Io): Promise<Content> {
    hashAlgorithm(node.descriptor.digest);
    const known = node.kind === "manifest" ? this.#manifests.get(node.descriptor.digest) : undefined;
    if (known) return bytesContent((await known).bytes);
    const content = await this.#source.read(node.kind, node.descriptor.digest, io);
    if (content === undefined) throw this.#missing(node);
    if (content.size >= 0 && content.size !== node.descriptor.size) {
      throw new IntegrityError(
        "size-mismatch",
        `Cannot read ${node.descriptor.digest} of ${this.name}: ${content.size} bytes, expected ${node.descriptor.size}`,
      );
    }
    return content;
  }

  /** The node's bytes as the place has them, unchecked; undefined where it lacks them. */
  async read(kind: Kind, digest: Digest, io: Io): Promise<Content | undefined> {
    return this.#source.read(kind, digest, io);
  }

  /** Whether the node is there, how large and of what type. */
  async stat(kind: Kind, digest: Digest, io: Io): Promise<Descriptor | undefined> {
    return this.#source.stat(kind, digest, io);
  }

  list(io: Io): AsyncIterable<Entry> {
    return this.#source.list(io);
  }

  /** The referrers of a subject as the place lists them; the listing is a hint until the referrer's manifest is read. */
  async referrers(subject: Descriptor, filter: { readonly artifactType?: string }, io: Io): Promise<Referrers> {
    return this.#source.referrers(subject, filter, io);
  }

  async close(): Promise<void> {
    await this.#source.close();
  }

  #checked(raw: RawManifest, reference: string | undefined): Manifest {
    const { descriptor, bytes } = raw;
    const label = this.#label(reference);
    check(bytes, descriptor, label);
    return { descriptor, bytes, value: parseManifest(bytes, descriptor.mediaType, label) };
  }

  #label(reference: string | undefined): string {
    if (reference === undefined) return this.name;
    return `${this.name}${reference.includes(":") ? "@" : ":"}${reference}`;
  }

  #missing(node: Node): LibraryError {
    const what = node.kind === "manifest" ? "manifest" : "blob";
    return new LibraryError("blob-missing", `Cannot read ${node.descriptor.digest}: ${this.name} lacks this ${what}`, {
      hint: "Complete it from a place that has the whole image, or copy from there",
    });
  }
}

/** Content of bytes that are in memory. */
export function bytesContent(bytes: Uint8Array): Content {
  return {
    size: bytes.byteLength,
    stream: async (offset = 0) =>
      new ReadableStream({
        start(controller) {
          if (offset < bytes.byteLength) controller.enqueue(bytes.subarray(offset));
          controller.close();
        },
      }),
  };
}

/** All bytes of a stream; cancels it and fails with `limit-exceeded` when it is longer than `limit`. */
export async function collect(stream: ReadableStream<Uint8Array>, limit: number, name: string): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of stream) {
    size += chunk.byteLength;
    if (size > limit) throw tooLarge(name, limit);
    chunks.push(chunk);
  }
  const only = chunks[0];
  if (chunks.length === 1 && only) return only;
  const whole = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.byteLength;
  }
  return whole;
}

/** Throws `size-mismatch` or `digest-mismatch` where `bytes` are not the descriptor's. */
export function check(bytes: Uint8Array, descriptor: Descriptor, name: string): void {
  if (bytes.byteLength !== descriptor.size) {
    throw new IntegrityError(
      "size-mismatch",
      `Cannot accept ${name}: ${bytes.byteLength} bytes, expected ${descriptor.size} of ${descriptor.digest}`,
    );
  }
  const hex = hexOf(hashAlgorithm(descriptor.digest), bytes);
  const { algorithm, encoded } = splitDigest(descriptor.digest);
  if (hex !== encoded) {
    throw new IntegrityError(
      "digest-mismatch",
      `Cannot accept ${name}: digest ${algorithm}:${hex}, expected ${descriptor.digest}`,
    );
  }
}

function tooLarge(name: string, limit: number): LibraryError {
  return new LibraryError("limit-exceeded", `Cannot read ${name}: more than ${limit} bytes`);
}
