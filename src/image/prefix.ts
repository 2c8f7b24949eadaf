import { LibraryError } from "../core/error.ts";
import type { TarEntry } from "../tar/header.ts";
import type { TarMember } from "../tar/members.ts";
import { type TarHead, tarParts } from "../tar/parts.ts";

type Bytes = AsyncIterable<Uint8Array>;

/** Where the content of a tar goes. */
export interface PrefixOptions {
  /** Without slashes at its ends; not empty. */
  readonly prefix: string;
  /** What messages call the tar. */
  readonly name: string;
}

/**
 * The members of a tar below a prefix, with all that the tar says of them; none for the folders of the prefix. Throws
 * `malformed-archive` for broken tars and for entries that would leave the prefix or that a layer has no use for.
 */
export async function* prefixedMembers(source: Bytes, options: PrefixOptions): AsyncGenerator<TarMember> {
  const parts = tarParts(source, options.name);
  let next = await parts.next();
  const content = async function* (): AsyncGenerator<Uint8Array> {
    while (!next.done && "bytes" in next.value) {
      yield next.value.bytes;
      next = await parts.next();
    }
  };
  while (!next.done) {
    const entry = "entry" in next.value ? prefixed(next.value.entry, options) : undefined;
    next = await parts.next();
    if (entry) yield { entry, content };
    for await (const _ of content());
  }
}

function prefixed(entry: TarHead, { prefix, name }: PrefixOptions): TarEntry | undefined {
  const path = inside(entry.path, entry, name);
  const { type } = entry;
  if (type === "other") throw refused(name, entry, "of a type that cannot be moved below a prefix");
  if (path === "") {
    if (type === "directory") return undefined;
    throw refused(name, entry, "without a name");
  }
  return {
    ...entry,
    type,
    path: `${prefix}/${path}${type === "directory" ? "/" : ""}`,
    target: type === "link" ? `${prefix}/${inside(entry.target ?? "", entry, name)}` : entry.target,
  };
}

/** A path of a tar without `./`, leading and trailing slashes; throws where it climbs. */
function inside(path: string, entry: TarHead, name: string): string {
  const parts = path.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.includes("..")) throw refused(name, entry, "that leaves the tar");
  return parts.join("/");
}

function refused(name: string, entry: TarHead, problem: string): LibraryError {
  const path = JSON.stringify(entry.path.slice(0, 200));
  return new LibraryError("malformed-archive", `Cannot read ${name}: it holds ${path}, an entry ${problem}`);
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
