import type { Content, Io } from "../core/content.ts";
import { IntegrityError, RegistryError, UnsupportedError } from "../core/error.ts";
import { startHash } from "../core/hashing.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import { hashAlgorithm, splitDigest } from "../oci/digest.ts";
import type { RegistryClient } from "./client.ts";
import { discardHead } from "./discard.ts";
import { type Attempt, againAfter, isTransientError, withRetries } from "./retry.ts";
import { repositoryScope } from "./scope.ts";
import { sendChunks } from "./upload-chunks.ts";
import { beginUpload, cancelUpload, finishUpload, type UploadSession, uploadOffset } from "./upload-session.ts";

/** How a blob is uploaded. */
export interface UploadOptions {
  /** A repository of the same registry that has the blob. */
  readonly mountFrom: string | undefined;
  /** Bytes of a chunk where the blob cannot be sent in one piece; default 16 MiB. */
  readonly chunkBytes?: number;
}

/** The state of one upload, which nobody else sees. */
interface Progress {
  session: UploadSession;
  chunkBytes: number;
  chunked: boolean;
  /** The session went on after a failure: what it holds is the registry's word. */
  resumed: boolean;
  /** Bytes that the session holds already, from the start. */
  offset: number;
  /** The largest offset there ever was, over all sessions. */
  furthest: number;
}

const defaultChunkBytes = 16 * 1024 * 1024;
const smallestChunkBytes = 1024 * 1024;

/**
 * The blob is in the repository: mounted from another one, or sent in one piece, or in chunks where the registry (or
 * what stands before it) takes no large bodies or broke off twice. After a cut the upload goes on at the last byte that
 * the registry holds, where it tells. Throws `digest-mismatch`, `size-mismatch`, or what the registry answers; then,
 * and when the signal aborts, the upload session is cancelled. distribution-spec v1.1.1, "Pushing Blobs".
 */
export async function uploadBlob(
  client: RegistryClient,
  blob: Descriptor,
  open: () => Promise<Content>,
  options: UploadOptions,
  io: Io,
): Promise<"mounted" | "sent"> {
  const upload = new Upload(client, blob, open, options, io);
  return upload.run();
}

class Upload {
  readonly #client: RegistryClient;
  readonly #blob: Descriptor;
  readonly #open: () => Promise<Content>;
  readonly #options: UploadOptions;
  readonly #io: Io;
  readonly #purpose: string;
  readonly #scopes: readonly string[];

  constructor(client: RegistryClient, blob: Descriptor, open: () => Promise<Content>, options: UploadOptions, io: Io) {
    this.#client = client;
    this.#blob = blob;
    this.#open = open;
    this.#options = options;
    this.#io = io;
    this.#purpose = `push blob ${client.label(blob.digest)}`;
    this.#scopes = [repositoryScope(client.repository ?? "", "pull,push")];
  }

  async run(): Promise<"mounted" | "sent"> {
    const begun = await this.#begin(this.#options.mountFrom);
    if (begun === "mounted") return begun;
    const chunkBytes = this.#options.chunkBytes ?? defaultChunkBytes;
    const progress: Progress = { session: begun, chunkBytes, chunked: false, resumed: false, offset: 0, furthest: 0 };
    const { session, registry } = this.#client;
    try {
      for (;;) {
        const done = await withRetries(session, registry, session.retry.attempts, this.#io, (number) =>
          this.#attempt(progress, number),
        );
        // Progress begins the count of attempts anew
        if (done) return "sent";
      }
    } catch (error) {
      await cancelUpload(this.#client, progress.session, this.#scopes);
      throw error;
    }
  }

  /** True where the blob is there, false where a part of it came to the registry before a failure. */
  async #attempt(progress: Progress, number: number): Promise<Attempt<boolean>> {
    const content = await this.#content();
    const before = { furthest: progress.furthest, chunked: progress.chunked, chunkBytes: progress.chunkBytes };
    try {
      await this.#send(progress, content);
      return { kind: "done", value: true };
    } catch (error) {
      const arrived = await this.#recover(progress, error, number);
      progress.furthest = Math.max(before.furthest, progress.offset);
      if (arrived || progress.furthest > before.furthest) return { kind: "done", value: arrived };
      // Smaller pieces are progress too, and need no wait: there is an end to halving
      const isSmaller = !before.chunked || progress.chunkBytes < before.chunkBytes;
      if (isTooLarge(error) && isSmaller) return { kind: "done", value: false };
      if (isTransientError(error) || error instanceof RegistryError) return againAfter(error);
      throw error;
    }
  }

  async #begin(mountFrom: string | undefined): Promise<UploadSession | "mounted"> {
    return beginUpload(this.#client, this.#blob.digest, mountFrom, this.#scopes, this.#purpose, this.#io);
  }

  async #content(): Promise<Content> {
    const content = await this.#open();
    if (content.size < 0 || content.size === this.#blob.size) return content;
    throw this.#wrongSize(`${content.size}`);
  }

  async #send(progress: Progress, content: Content): Promise<void> {
    const { session } = progress;
    const request = {
      client: this.#client,
      blob: this.#blob,
      scopes: this.#scopes,
      purpose: this.#purpose,
      io: this.#io,
    };
    if (!progress.chunked) return finishUpload(request, session, { content, offset: 0, length: this.#blob.size });
    await sendChunks(request, session, content, progress);
    return finishUpload(request, session, undefined);
  }

  /**
   * Prepares the next attempt after a failure that one may cure, and throws the others. True where the blob turns out to
   * have arrived: then only the answer was lost.
   */
  async #recover(progress: Progress, error: unknown, number: number): Promise<boolean> {
    this.#io.signal.throwIfAborted();
    const refusal = error instanceof RegistryError ? error.refusal : undefined;
    if (refusal?.status === 400) {
      const explained = await this.#explain(refusal.codes, error);
      if (!progress.resumed || explained instanceof IntegrityError) throw explained;
      await this.#restart(progress);
      return false;
    }
    if (isTooLarge(error)) {
      if (progress.chunked && progress.chunkBytes <= smallestChunkBytes) throw error;
      const refused = progress.chunked ? Math.min(progress.chunkBytes, this.#blob.size) : this.#blob.size;
      progress.chunkBytes = Math.min(progress.chunkBytes, Math.max(smallestChunkBytes, Math.floor(refused / 2)));
      if (!progress.chunked) await this.#restart(progress);
      progress.chunked = true;
      return false;
    }
    const lost = refusal?.status === 404 || refusal?.status === 416;
    if (!lost && !isTransientError(error)) throw error;
    const held = await uploadOffset(this.#client, progress.session, this.#scopes, this.#purpose, this.#io);
    if (held !== undefined && held > 0 && held >= progress.offset && held <= this.#blob.size) {
      progress.offset = held;
      progress.chunked = true;
      progress.resumed = true;
      return false;
    }
    if (held === undefined && (await this.#arrived())) return true;
    await this.#restart(progress);
    // What breaks off twice in one piece may pass in small ones
    if (number >= 2 && this.#blob.size > smallestChunkBytes) progress.chunked = true;
    return false;
  }

  async #restart(progress: Progress): Promise<void> {
    await cancelUpload(this.#client, progress.session, this.#scopes);
    const begun = await this.#begin(undefined);
    if (begun === "mounted") throw new Error("unreachable: nothing was to be mounted");
    progress.session = begun;
    progress.resumed = false;
    progress.offset = 0;
  }

  async #arrived(): Promise<boolean> {
    const response = await this.#client.send(
      {
        method: "HEAD",
        target: this.#client.path("blobs", this.#blob.digest),
        scopes: this.#scopes,
        purpose: this.#purpose,
        accept: [200, 400, 404],
      },
      this.#io,
    );
    await discardHead(response);
    return response.status === 200;
  }

  /**
   * Registries have one code for wrong bytes and for algorithms that they do not know (olareg 0.1.2 says
   * BLOB_UPLOAD_INVALID of wrong bytes): what was sent is hashed to tell which it was.
   */
  async #explain(codes: readonly string[], cause: unknown): Promise<unknown> {
    const { digest } = this.#blob;
    const sent = await this.#sent();
    if (sent.size !== this.#blob.size) return this.#wrongSize(`${sent.size}`, cause);
    if (sent.hex !== splitDigest(digest).encoded) {
      return new IntegrityError("digest-mismatch", `Cannot ${this.#purpose}: the content has another digest`, {
        cause,
      });
    }
    const { algorithm } = splitDigest(digest);
    // Right bytes refused: 2.8.2 calls it DIGEST_INVALID, crane's registry (0.21.9) NAME_INVALID
    if (algorithm === "sha256" || codes.length === 0) return cause;
    return new UnsupportedError(`Cannot ${this.#purpose}: the registry does not support ${algorithm}`, {
      code: "unsupported-digest",
      cause,
      hint: "Copy the image to a registry that supports it, or build it with sha256 digests",
    });
  }

  /** What `open` gives. */
  async #sent(): Promise<{ readonly size: number; readonly hex: string }> {
    const hash = startHash(hashAlgorithm(this.#blob.digest));
    let size = 0;
    const content = await this.#open();
    for await (const chunk of await content.stream()) {
      size += chunk.byteLength;
      hash.update(chunk);
    }
    return { size, hex: hash.hex() };
  }

  #wrongSize(found: string, cause?: unknown): IntegrityError {
    const { size, digest } = this.#blob;
    const message = `Cannot ${this.#purpose}: ${found} bytes, expected ${size} of ${digest}`;
    return new IntegrityError("size-mismatch", message, { cause });
  }
}

function isTooLarge(error: unknown): boolean {
  return error instanceof RegistryError && error.refusal.status === 413;
}
