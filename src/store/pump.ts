import type { Content, Io } from "../core/content.ts";
import { IntegrityError, isLibraryError } from "../core/error.ts";
import { isExhausted } from "../core/exhausted.ts";
import { type RunningHash, startHash } from "../core/hashing.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import { hashAlgorithm, splitDigest } from "../oci/digest.ts";

/** Takes bytes in order; a chunk may be reused by its owner when the promise has resolved. */
export type Sink = (chunk: Uint8Array) => Promise<void>;

/** Bytes that are in the sink already, and the hash of them. */
export interface Progress {
  readonly offset: number;
  readonly hash: RunningHash;
}

/** Bytes gathered before they are written: the write of one such batch overlaps the hash of the same. */
const batchBytes = 1024 * 1024;
const largeChunkBytes = 256 * 1024;

/** How often a broken connection is taken up again: in a row without a byte gained, and in all. */
const retries = { withoutProgress: 3, total: 20 } as const;

/**
 * Moves the descriptor's bytes into the sink and hashes them on the way. After it resolves they were exactly those;
 * else it throws `size-mismatch` or `digest-mismatch`, and what the sink took is worthless. A `network-error` midway is
 * met by opening the content again and going on from the byte that is missing, unless the content has tried that itself.
 */
export async function pump(
  open: () => Promise<Content>,
  descriptor: Descriptor,
  sink: Sink,
  io: Io,
  progress: Progress = { offset: 0, hash: startHash(hashAlgorithm(descriptor.digest)) },
): Promise<void> {
  const batch = new Batch(sink, progress.hash, Math.min(batchBytes, descriptor.size - progress.offset));
  await transfer(open, descriptor, batch, io, progress);
}

/** All bytes of a small descriptor, with the promise of `pump`, kept as they come instead of gathered first. */
export async function pumpWhole(open: () => Promise<Content>, descriptor: Descriptor, io: Io): Promise<Uint8Array> {
  const hash = startHash(hashAlgorithm(descriptor.digest));
  const bytes = new Uint8Array(descriptor.size);
  let at = 0;
  const whole: Receiver = {
    async add(chunk) {
      hash.update(chunk);
      bytes.set(chunk, at);
      at += chunk.byteLength;
    },
    async flush() {},
  };
  await transfer(open, descriptor, whole, io, { offset: 0, hash });
  return bytes;
}

/** Takes what comes, in order, and hashes it. */
interface Receiver {
  add(chunk: Uint8Array): Promise<void>;
  /** Everything added has been taken after. */
  flush(): Promise<void>;
}

async function transfer(
  open: () => Promise<Content>,
  descriptor: Descriptor,
  receiver: Receiver,
  io: Io,
  progress: Progress,
): Promise<void> {
  let received = progress.offset;
  let idle = 0;
  for (let attempt = 0; received < descriptor.size || attempt === 0; attempt++) {
    if (received === descriptor.size && progress.offset > 0) break;
    const before = received;
    try {
      for await (const chunk of await (await opened(open, descriptor)).stream(received)) {
        io.signal.throwIfAborted();
        received += chunk.byteLength;
        if (received > descriptor.size) throw sizeMismatch(descriptor, `more than ${descriptor.size}`);
        await receiver.add(chunk);
      }
      break;
    } catch (error) {
      idle = received > before ? 0 : idle + 1;
      const isHopeless = !isLibraryError(error, "network-error") || isExhausted(error);
      if (isHopeless || idle > retries.withoutProgress || attempt >= retries.total) {
        await receiver.flush();
        throw error;
      }
      io.emit({ kind: "debug", message: `${descriptor.digest}: going on from byte ${received} (${error.message})` });
    }
  }
  await receiver.flush();
  if (received !== descriptor.size) throw sizeMismatch(descriptor, String(received));
  checkHex(descriptor, progress.hash.hex());
}

/** Opens the content; fails with `size-mismatch` where it says that it has another size than the descriptor's. */
export async function opened(open: () => Promise<Content>, descriptor: Descriptor): Promise<Content> {
  const content = await open();
  if (content.size >= 0 && content.size !== descriptor.size) throw sizeMismatch(descriptor, String(content.size));
  return content;
}

/** Throws `digest-mismatch` where `hex` is not the descriptor's. */
export function checkHex(descriptor: Descriptor, hex: string): void {
  const { algorithm, encoded } = splitDigest(descriptor.digest);
  if (hex === encoded) return;
  throw new IntegrityError("digest-mismatch", `Cannot accept ${descriptor.digest}: digest ${algorithm}:${hex}`);
}

/** The `size-mismatch` of content of which `found` bytes were there. */
export function sizeMismatch(descriptor: Descriptor, found: string): IntegrityError {
  const { digest, size } = descriptor;
  return new IntegrityError("size-mismatch", `Cannot accept ${digest}: ${found} bytes, expected ${size}`);
}

/** Gathers small chunks; one write is under way while the bytes of it are hashed and the next ones come in. */
class Batch implements Receiver {
  readonly #sink: Sink;
  readonly #hash: RunningHash;
  readonly #size: number;
  #filling: Uint8Array | undefined;
  #spare: Uint8Array | undefined;
  #filled = 0;
  #writing: Promise<void> = Promise.resolve();

  constructor(sink: Sink, hash: RunningHash, size: number) {
    this.#sink = sink;
    this.#hash = hash;
    this.#size = size;
  }

  async add(chunk: Uint8Array): Promise<void> {
    if (chunk.byteLength >= largeChunkBytes) {
      await this.#send();
      await this.#write(chunk);
      return;
    }
    for (let at = 0; at < chunk.byteLength; ) {
      this.#filling ??= new Uint8Array(this.#size);
      const part = chunk.subarray(at, at + this.#size - this.#filled);
      this.#filling.set(part, this.#filled);
      this.#filled += part.byteLength;
      at += part.byteLength;
      if (this.#filled === this.#size) await this.#send();
    }
  }

  async flush(): Promise<void> {
    await this.#send();
    await this.#writing;
  }

  async #send(): Promise<void> {
    if (this.#filling === undefined || this.#filled === 0) return;
    const full = this.#filling;
    await this.#write(full.subarray(0, this.#filled));
    this.#filling = this.#spare; // Its write has ended: #write waits for the one before
    this.#spare = full;
    this.#filled = 0;
  }

  async #write(bytes: Uint8Array): Promise<void> {
    await this.#writing;
    this.#writing = this.#sink(bytes);
    this.#writing.catch(() => {}); // Thrown by the next await of it
    this.#hash.update(bytes);
  }
}
