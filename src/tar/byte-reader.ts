import { LibraryError } from "../core/error.ts";

/** Takes exact numbers of bytes from chunks of any size, without copying what passes. */
export class ByteReader {
  readonly #source: AsyncIterator<Uint8Array>;
  readonly #name: string;
  #held: Uint8Array = new Uint8Array(0);

  /** `name` is what messages call the source. */
  constructor(source: AsyncIterable<Uint8Array>, name: string) {
    this.#source = source[Symbol.asyncIterator]();
    this.#name = name;
  }

  /** Whether there is another byte. */
  async more(): Promise<boolean> {
    while (this.#held.byteLength === 0) {
      const next = await this.#source.next();
      if (next.done) return false;
      this.#held = next.value;
    }
    return true;
  }

  /** The next `count` bytes, which stay there; throws `malformed-archive` where there are fewer. For small counts. */
  async peek(count: number): Promise<Uint8Array> {
    while (this.#held.byteLength < count) {
      const next = await this.#source.next();
      if (next.done) throw this.#cut();
      const joined = new Uint8Array(this.#held.byteLength + next.value.byteLength);
      joined.set(this.#held);
      joined.set(next.value, this.#held.byteLength);
      this.#held = joined;
    }
    return this.#held.subarray(0, count);
  }

  /** The next `count` bytes in chunks as they come; throws `malformed-archive` where there are fewer. */
  async *take(count: number): AsyncGenerator<Uint8Array> {
    for (let left = count; left > 0; ) {
      if (!(await this.more())) throw this.#cut();
      const bytes = this.#held.subarray(0, left);
      this.#held = this.#held.subarray(bytes.byteLength);
      left -= bytes.byteLength;
      yield bytes;
    }
  }

  /** The next `count` bytes in one piece, a copy; throws `malformed-archive` where there are fewer. For small counts. */
  async bytes(count: number): Promise<Uint8Array> {
    const whole = new Uint8Array(count);
    let at = 0;
    for await (const chunk of this.take(count)) {
      whole.set(chunk, at);
      at += chunk.byteLength;
    }
    return whole;
  }

  /** All that is left, in chunks as they come. */
  async *rest(): AsyncGenerator<Uint8Array> {
    while (await this.more()) {
      const bytes = this.#held;
      this.#held = new Uint8Array(0);
      yield bytes;
    }
  }

  #cut(): LibraryError {
    return new LibraryError("malformed-archive", `Cannot read ${this.#name}: it is cut off`);
  }
}
