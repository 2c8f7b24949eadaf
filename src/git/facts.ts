import fs from "node:fs";
import { gitDirectories, readHead } from "./directory.ts";
import { publicRemote } from "./remote.ts";
import { type PartialAuthor, type UserPlace, userAuthor } from "./user.ts";

/** What a folder's git repository says. */
export interface GitFacts {
  /** The work tree's root; undefined outside a repository. */
  readonly root: string | undefined;
  /** The commit of HEAD in hexadecimal; `unknown` outside a repository, before the first commit, or where it cannot be read. */
  readonly revision: string;
  /** The remote `origin`, else the first one, as `publicRemote` gives it. */
  readonly remote: string | undefined;
  /** From the environment, the repository, or the user's own configuration, each filling what goes before leaves out. */
  readonly author: PartialAuthor;
}

/** Whose facts are asked for; `env` is that of the process. */
export interface GitPlace extends UserPlace {
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/**
 * The facts of the repository around `directory`. Never fails: outside a repository, and for everything that cannot be
 * read, each fact has its stated fall back. No `git` program is needed.
 */
export async function gitFacts(directory: string, place: GitPlace): Promise<GitFacts> {
  // Imported here, so that start-up does not pay for it
  const { default: git } = await import("isomorphic-git");
  const own = await userAuthor(place);
  const root = await git.findRoot({ fs, filepath: directory }).catch(() => undefined);
  const directories = root === undefined ? undefined : await gitDirectories(root);
  if (root === undefined || directories === undefined) {
    return { root: undefined, revision: "unknown", remote: undefined, author: { ...own, ...environmentAuthor(place) } };
  }
  const gitdir = directories.common;
  const inMain = directories.own === gitdir;
  // isomorphic-git knows neither linked work trees nor sha256 repositories: those are read by hand
  const resolved = inMain ? await git.resolveRef({ fs, gitdir, ref: "HEAD" }).catch(() => undefined) : undefined;
  const revision = resolved ?? (await readHead(directories)) ?? "unknown";
  const remotes = await git.listRemotes({ fs, gitdir }).catch(() => []);
  const remote = remotes.find(({ remote }) => remote === "origin") ?? remotes[0];
  const [name, email] = await Promise.all(
    ["user.name", "user.email"].map(
      async (path): Promise<unknown> => git.getConfig({ fs, gitdir, path }).catch(() => undefined),
    ),
  );
  const here = { ...(isText(name) ? { name } : {}), ...(isText(email) ? { email } : {}) };
  return {
    root,
    revision,
    remote: remote === undefined ? undefined : publicRemote(remote.url),
    author: { ...own, ...here, ...environmentAuthor(place) },
  };
}

/** git, "ENVIRONMENT VARIABLES": these win over every configuration. */
function environmentAuthor({ env = {} }: GitPlace): PartialAuthor {
  const { GIT_AUTHOR_NAME: name, GIT_AUTHOR_EMAIL: email } = env;
  return { ...(name ? { name } : {}), ...(email ? { email } : {}) };
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}
