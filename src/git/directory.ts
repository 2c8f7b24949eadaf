import { readFile, stat } from "node:fs/promises";
import { join, resolve } from "node:path";

/** Where a work tree keeps its git data. */
export interface GitDirectories {
  /** Holds HEAD. */
  readonly own: string;
  /** Holds config, refs and packed-refs: another folder than `own` in a linked work tree (`git worktree`). */
  readonly common: string;
}

/**
 * The git data of the work tree at `root`, whose `.git` is a folder or a file that names one: gitrepository-layout.
 * Undefined where it is neither.
 */
export async function gitDirectories(root: string): Promise<GitDirectories | undefined> {
  const dotGit = join(root, ".git");
  const found = await stat(dotGit).catch(() => undefined);
  if (found === undefined) return undefined;
  if (found.isDirectory()) return { own: dotGit, common: dotGit };
  const named = /^gitdir:\s*(.+?)\s*$/m.exec(await readSmall(dotGit))?.[1];
  if (named === undefined) return undefined;
  const own = resolve(root, named);
  const common = (await readSmall(join(own, "commondir"))).trim();
  return { own, common: common === "" ? own : resolve(own, common) };
}

/**
 * The revision that HEAD stands for, read from loose and packed refs; undefined before the first commit, or where the
 * repository keeps its refs in another way (reftable). Follows symbolic refs at most 5 times.
 */
export async function readHead({ own, common }: GitDirectories): Promise<string | undefined> {
  let text = (await readSmall(join(own, "HEAD"))).trim();
  for (let hops = 0; hops < 5; hops++) {
    if (/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(text)) return text;
    const reference = /^ref:\s*(refs\/\S+)$/.exec(text)?.[1];
    if (reference === undefined || reference.split("/").includes("..")) return undefined;
    text = (await readSmall(join(common, reference))).trim() || (await packedRevision(common, reference)) || "";
  }
  return undefined;
}

async function packedRevision(common: string, reference: string): Promise<string | undefined> {
  const lines = (await readSmall(join(common, "packed-refs"))).split("\n");
  return lines.find((line) => line.endsWith(` ${reference}`))?.split(" ")[0];
}

/** The file's text; empty where it cannot be read, which callers take for "not there". */
async function readSmall(path: string): Promise<string> {
  return readFile(path, "utf8").catch(() => "");
}
