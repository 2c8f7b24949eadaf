import { LibraryError } from "../core/error.ts";
import type { TarEntry } from "./tar-header.ts";
import { type TarHead, tarParts } from "./tar-parts.ts";
import type { TarMember } from "./tar-write.ts";

type Bytes = AsyncIterable<Uint8Array>;

/** Where the content of a tar goes. */
export interface PrefixOptions {
  /** Without slashes at its ends; not empty. */
  readonly prefix: string;
  /** What messages call the tar. */
  readonly name: string;
}

/** Passes the bytes of a tar on, and throws `malformed-archive` at their end or before where they are no whole tar. */
export async function* checkedTar(source: Bytes, name: string): AsyncGenerator<Uint8Array> {
  const seen: Uint8Array[] = [];
  const tapped = async function* (): AsyncGenerator<Uint8Array> {
    for await (const chunk of source) {
      seen.push(chunk);
      yield chunk;
    }
  };
  for await (const _ of tarParts(tapped(), name)) yield* seen.splice(0);
  yield* seen;
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
