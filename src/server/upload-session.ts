import { Buffer } from "node:buffer";
import { type FileHandle, mkdir, open, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Content } from "../core/content.ts";
import { type Digest, splitDigest } from "../oci/digest.ts";
import { fileContent } from "../store/file-content.ts";
import { bytesContent } from "../store/store.ts";
import { refusal } from "./errors.ts";

/** What a request says of the bytes in its body. */
export interface ChunkClaim {
  /** The Content-Range as sent, `first-last`: distribution-spec v1.1.1, "Pushing a blob in chunks". */
  readonly range: string | undefined;
  /** The Content-Length as sent. */
  readonly length: number | undefined;
}

/** Bodies up to this many bytes that make a whole blob are kept in memory and never spooled. */
const heldBytes = 1024 * 1024;
const batchBytes = 512 * 1024;

/** One upload: the bytes that came so far, in a file that exists once there are some. */
export class UploadSession {
  readonly id: string;
  readonly path: string;
  /** Milliseconds since the epoch of the last request. */
  touched: number;
  #size: number;
  #busy = false;

  constructor(id: string, path: string, size: number, touched: number) {
    this.id = id;
    this.path = path;
    this.#size = size;
    this.touched = touched;
  }

  /** Bytes so far. */
  get size(): number {
    return this.#size;
  }

  get busy(): boolean {
    return this.#busy;
  }

  /** `first-last` as the Range header says it; `0-0` stands for no byte too, the specification has no other form. */
  get range(): string {
    return `0-${Math.max(0, this.#size - 1)}`;
  }

  /** Runs `body` while no other request works on this session; throws a Refusal, 429, where one does. */
  async alone<T>(body: () => Promise<T>): Promise<T> {
    if (this.#busy) {
      throw refusal(429, "TOOMANYREQUESTS", "another request works on this upload", {
        headers: { "retry-after": "1" },
      });
    }
    this.#busy = true;
    try {
      return await body();
    } finally {
      this.#busy = false;
    }
  }

  /**
   * Appends the body. What arrived before a connection broke stays, so that the client can go on from there.
   * Throws a Refusal: 416 for a chunk that does not begin where the last one ended, 400 for one of another length.
   */
  async append(stream: ReadableStream<Uint8Array>, claim: ChunkClaim): Promise<void> {
    const expected = this.#expectedLength(claim);
    const file = await open(this.path, "a", 0o600);
    const before = this.#size;
    try {
      await this.#write(file, stream, expected);
      if (expected !== undefined && this.#size - before !== expected) {
        throw wrongLength(expected, this.#size - before);
      }
    } catch (error) {
      if (expected !== undefined && this.#size - before > expected) this.#size = before;
      // A write that failed, as on a full disk, may have left a part of its batch
      await file.truncate(this.#size);
      throw error;
    } finally {
      await file.close();
    }
  }

  /**
   * Takes the last body and hands `use` the whole blob, in memory where it is small and came at once, else in a file that
   * has a blob's name, so that a layout may link it. Where `use` fails, the session is as it was before it.
   */
  async complete(
    stream: ReadableStream<Uint8Array>,
    claim: ChunkClaim,
    digest: Digest,
    use: (content: Content) => Promise<void>,
  ): Promise<void> {
    const expected = this.#expectedLength(claim);
    if (this.#size === 0 && claim.length !== undefined && claim.length <= heldBytes) {
      return use(bytesContent(await hold(stream, expected ?? claim.length)));
    }
    if (claim.length !== 0) await this.append(stream, claim);
    if (this.#size === 0) return use(bytesContent(new Uint8Array()));
    const { algorithm, encoded } = splitDigest(digest);
    const folder = `${this.path}.whole`;
    const whole = join(folder, algorithm, encoded);
    await mkdir(join(folder, algorithm), { recursive: true, mode: 0o700 });
    await rename(this.path, whole);
    try {
      await use(fileContent(whole, this.#size));
    } catch (error) {
      await rename(whole, this.path);
      throw error;
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  /** The file is gone. */
  async remove(): Promise<void> {
    await rm(this.path, { force: true });
  }

  #expectedLength(claim: ChunkClaim): number | undefined {
    if (claim.range === undefined) return claim.length;
    const match = /^([0-9]{1,16})-([0-9]{1,16})$/.exec(claim.range);
    if (match === null) {
      throw refusal(400, "BLOB_UPLOAD_INVALID", `Content-Range is not of the form "first-last"`);
    }
    const first = Number(match[1]);
    const length = Number(match[2]) - first + 1;
    if (first !== this.#size) {
      throw refusal(416, "BLOB_UPLOAD_INVALID", `the next chunk begins at byte ${this.#size}`, {
        headers: { range: this.range },
      });
    }
    if (length < 1 || (claim.length !== undefined && claim.length !== length)) {
      throw refusal(400, "SIZE_INVALID", "Content-Range and Content-Length disagree");
    }
    return length;
  }

  /** Writes in large batches, the write of one beside the arrival of the next. */
  async #write(file: FileHandle, stream: ReadableStream<Uint8Array>, expected: number | undefined): Promise<void> {
    const limit = expected === undefined ? Number.POSITIVE_INFINITY : this.#size + expected;
    let batch: Uint8Array[] = [];
    let batched = 0;
    let writing: Promise<void> = Promise.resolve();
    const flush = async (): Promise<void> => {
      await writing;
      const chunks = batch;
      const length = batched;
      batch = [];
      batched = 0;
      if (length === 0) return;
      writing = writeAll(file, chunks).then(() => {
        this.#size += length;
      });
      writing.catch(() => undefined); // seen by the next `await writing`
    };
    try {
      for await (const chunk of stream) {
        batch.push(chunk);
        batched += chunk.byteLength;
        if (this.#size + batched > limit + batchBytes) break;
        if (batched >= batchBytes) await flush();
      }
    } finally {
      await flush();
      await writing;
    }
  }
}

async function writeAll(file: FileHandle, chunks: readonly Uint8Array[]): Promise<void> {
  for (const chunk of chunks.length === 1 ? chunks : [Buffer.concat(chunks)]) {
    let written = 0;
    while (written < chunk.byteLength) {
      written += (await file.write(chunk, written, chunk.byteLength - written)).bytesWritten;
    }
  }
}

async function hold(stream: ReadableStream<Uint8Array>, length: number): Promise<Uint8Array> {
  const whole = new Uint8Array(length);
  let size = 0;
  for await (const chunk of stream) {
    if (size + chunk.byteLength > length) throw wrongLength(length, size + chunk.byteLength);
    whole.set(chunk, size);
    size += chunk.byteLength;
  }
  if (size !== length) throw wrongLength(length, size);
  return whole;
}

function wrongLength(expected: number, found: number): Error {
  return refusal(400, "SIZE_INVALID", `the body has ${found} bytes, expected ${expected}`);
}
