import { stat, truncate } from "node:fs/promises";
import type { Content, Io } from "../core/content.ts";
import { IntegrityError, LibraryError } from "../core/error.ts";
import { type Digest, splitDigest } from "../oci/digest.ts";
import type { RegistryClient, RegistryResponse } from "./client.ts";
import { discard } from "./discard.ts";
import { parseContentRange } from "./range.ts";
import { againAfter, isTransientError, withRetries } from "./retry.ts";

/** A blob of a registry, whose first answer has come: the bytes follow when they are asked for. */
export class BlobDownload implements Content {
  /** Bytes; -1 where the registry does not tell. */
  readonly size: number;
  readonly #client: RegistryClient;
  readonly #digest: Digest;
  readonly #scopes: readonly string[];
  readonly #io: Io;
  #first: RegistryResponse | undefined;

  constructor(client: RegistryClient, digest: Digest, scopes: readonly string[], first: RegistryResponse, io: Io) {
    this.#client = client;
    this.#digest = digest;
    this.#scopes = scopes;
    this.#first = first;
    this.#io = io;
    this.size = first.body.size ?? -1;
  }

  /** A stream of the bytes from `offset` on, which goes on at the right byte when the connection breaks. */
  async stream(offset = 0): Promise<ReadableStream<Uint8Array>> {
    let at = offset;
    let reader: ByteReader | undefined = await this.#readerFrom(at);
    const next = async (): Promise<Uint8Array | undefined> => {
      reader ??= await this.#readerFrom(at);
      try {
        const { done, value } = await reader.read();
        if (!done && value) return value;
        if (at < this.size) throw this.#cut(at);
        return undefined;
      } catch (error) {
        reader = undefined;
        // Everything had come before the connection broke
        if (at === this.size && isTransientError(error)) return undefined;
        throw error;
      }
    };
    return new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          const chunk = await this.#persistently(next);
          if (chunk === undefined) return controller.close();
          at += chunk.byteLength;
          controller.enqueue(chunk);
        },
        cancel: async (reason) => {
          await reader?.cancel(reason);
        },
      },
      { highWaterMark: 0 },
    );
  }

  /** Appends to the file; a registry that serves no ranges has it written from the start, which gives the same bytes. */
  async saveTo(path: string, offset = 0): Promise<number> {
    let at = offset;
    for (;;) {
      const before = at;
      const complete = await this.#persistently(async () => {
        try {
          const { response, skip } = await this.#open(at);
          if (skip > 0) {
            await truncate(path, 0);
            at = 0;
          }
          at += await response.body.saveTo(path, at);
        } catch (error) {
          if (!isTransientError(error)) throw error;
          at = await fileSize(path);
          if (at === this.size) return true;
          if (this.size >= 0 && at > this.size) {
            // More than there is cannot be gone on from
            at = Math.min(before, this.size);
            await truncate(path, at);
            throw error;
          }
          // Progress begins the count of attempts anew
          if (at > before) return false;
          throw error;
        }
        if (at < this.size) throw this.#cut(at);
        return true;
      });
      if (complete) break;
    }
    if (this.size >= 0 && at !== this.size) {
      throw new IntegrityError(
        "size-mismatch",
        `Cannot ${this.#purpose}: the file has ${at} bytes, expected ${this.size}`,
      );
    }
    return at - offset;
  }

  /** Nothing is left open if the bytes were never asked for. */
  async close(): Promise<void> {
    const first = this.#first;
    this.#first = undefined;
    await first?.body.cancel();
  }

  get #purpose(): string {
    return `pull blob ${this.#client.label(this.#digest)}`;
  }

  async #persistently<T>(body: () => Promise<T>): Promise<T> {
    const { session, registry } = this.#client;
    return withRetries(session, registry, session.retry.attempts, this.#io, async () => {
      try {
        return { kind: "done", value: await body() };
      } catch (error) {
        this.#io.signal.throwIfAborted();
        if (isTransientError(error)) return againAfter(error);
        throw error;
      }
    });
  }

  async #readerFrom(offset: number): Promise<ByteReader> {
    const { response, skip } = await this.#open(offset);
    const reader: ByteReader = response.body.stream().getReader();
    if (skip === 0) return reader;
    let left = skip;
    while (left > 0) {
      const { done, value } = await reader.read();
      if (done || !value) throw this.#cut(skip - left);
      if (value.byteLength > left) return readerOf(value.subarray(left), reader);
      left -= value.byteLength;
    }
    return reader;
  }

  /** An answer whose body begins at `offset` less `skip`. */
  async #open(offset: number): Promise<{ readonly response: RegistryResponse; readonly skip: number }> {
    const first = this.#first;
    this.#first = undefined;
    if (first && offset === 0) return { response: first, skip: 0 };
    await first?.body.cancel();
    if (offset === 0) return { response: await this.#get({}, [200]), skip: 0 };
    const response = await this.#get({ range: `bytes=${offset}-` }, [200, 206, 404, 416]);
    if (response.status === 200) return { response, skip: offset };
    if (response.status === 206) {
      const range = parseContentRange(response.headers.get("content-range"));
      const right =
        range?.first === offset && (this.size < 0 || range.total === undefined || range.total === this.size);
      if (right) return { response, skip: 0 };
      await response.body.cancel();
      throw new LibraryError(
        "registry-error",
        `Cannot ${this.#purpose}: the registry sent another part than asked for`,
      );
    }
    await discard(response);
    // crane's registry (0.21.9) answers a Range with 404 BLOB_UNKNOWN; 416 may be wrong about where the end is
    return { response: await this.#get({}, [200]), skip: offset };
  }

  async #get(headers: Readonly<Record<string, string>>, accept: readonly number[]): Promise<RegistryResponse> {
    const target = this.#client.path("blobs", this.#digest);
    const request = { method: "GET", target, headers, scopes: this.#scopes, purpose: this.#purpose, accept } as const;
    return this.#client.send(request, this.#io);
  }

  #cut(at: number): LibraryError {
    return new LibraryError("network-error", `Cannot ${this.#purpose}: the connection ended after ${at} bytes`);
  }
}

/** The blob, of which the first bytes may be on their way; undefined where the repository has none such. */
export async function openBlob(
  client: RegistryClient,
  digest: Digest,
  scopes: readonly string[],
  io: Io,
): Promise<BlobDownload | undefined> {
  const purpose = `pull blob ${client.label(digest)}`;
  // A registry that does not know the algorithm cannot have the blob
  const absent = splitDigest(digest).algorithm === "sha256" ? [404] : [404, 400];
  const target = client.path("blobs", digest);
  const response = await client.send({ method: "GET", target, scopes, purpose, accept: [200, ...absent] }, io);
  if (response.status === 200) return new BlobDownload(client, digest, scopes, response, io);
  await discard(response);
  return undefined;
}

/** What is used of a stream's reader. */
interface ByteReader {
  read(): Promise<{ readonly done: boolean; readonly value?: Uint8Array | undefined }>;
  cancel(reason?: unknown): Promise<void>;
}

function readerOf(first: Uint8Array, rest: ByteReader): ByteReader {
  let waiting: Uint8Array | undefined = first;
  return {
    read: async () => {
      const value = waiting;
      waiting = undefined;
      return value ? { done: false, value } : rest.read();
    },
    cancel: (reason) => rest.cancel(reason),
  };
}

async function fileSize(path: string): Promise<number> {
  return stat(path).then(
    ({ size }) => size,
    (cause) => {
      if (typeof cause === "object" && cause !== null && "code" in cause && cause.code === "ENOENT") return 0;
      throw cause;
    },
  );
}
