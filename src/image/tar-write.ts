import { LibraryError } from "../core/error.ts";
import { paddedSize, type TarEntry, tarEnd, tarHeader } from "./tar-header.ts";

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
    yield new Uint8Array(paddedSize(size) - size);
  }
  yield tarEnd;
}

/** An entry for each folder of a prefix (`opt/`, then `opt/app/`): root's, mode 0755. */
export async function* prefixFolders(prefix: string, mtime: number): AsyncGenerator<TarMember> {
  const parts = prefix.split("/").filter((part) => part !== "");
  for (let count = 1; count <= parts.length; count++) {
    yield { entry: folder(`${parts.slice(0, count).join("/")}/`, mtime) };
  }
}

function folder(path: string, mtime: number): TarEntry {
  return { path, type: "directory", mode: 0o755, uid: 0, gid: 0, size: 0, mtime };
}
