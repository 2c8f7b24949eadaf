import { LibraryError } from "../core/error.ts";
import { padding } from "./fields.ts";
import { type TarEntry, tarEnd, tarHeader } from "./header.ts";

/** An entry with the way to its content; the content is asked for once, when its turn comes. */
export interface TarMember {
  readonly entry: TarEntry;
  readonly content?: () => AsyncIterable<Uint8Array>;
}

/** The bytes of a tar with these members in their order; throws `io-error` where a content has not the size announced. */
export async function* tarBytes(members: AsyncIterable<TarMember>): AsyncGenerator<Uint8Array> {
  for await (const { entry, content } of members) {
    yield tarHeader(entry);
    let size = 0;
    if (content) {
      for await (const chunk of content()) {
        size += chunk.byteLength;
        if (size > entry.size) break;
        yield chunk;
      }
    }
    if (size !== entry.size) {
      throw new LibraryError("io-error", `Cannot add ${entry.path}: it changed while it was read`, {
        hint: "Run the command again when nothing writes to the folder",
      });
    }
    yield new Uint8Array(padding(size));
  }
  yield tarEnd;
}
