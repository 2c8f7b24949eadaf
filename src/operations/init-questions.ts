import { readdir, readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import type { GitFacts } from "../git/facts.ts";
import { type Path, parsePath } from "../manifest/path.ts";
import { isRepository } from "../oci/reference.ts";

/** What the folder of a new manifest says by itself. */
export interface Surroundings {
  readonly directory: string;
  readonly git: GitFacts;
  /** The Dockerfile's name where one lies there. */
  readonly dockerfile: string | undefined;
  /** SPDX identifier of the licence file, where its title tells. */
  readonly license: string | undefined;
}

/** One value that `init` asks for. */
export interface Question {
  readonly path: Path;
  readonly text: string;
  /** As a user would type it; undefined where there is nothing sensible to propose. */
  readonly proposal: (surroundings: Surroundings, answered: (path: string) => unknown) => string | undefined;
  /** The answer holds several values with commas between them. */
  readonly isList?: boolean;
}

/** The questions in their order; later proposals build on earlier answers. */
export const questions: readonly Question[] = [
  question("registry.host", "Registry", ({ git }) => registryOf(git.remote)),
  question("registry.project", "Project at the registry", ({ git }) =>
    nameOf(remotePath(git.remote).slice(0, -1).join("/")),
  ),
  question("registry.image", "Image", ({ git, directory }) =>
    nameOf(remotePath(git.remote).at(-1) ?? basename(directory)),
  ),
  question("build.file", "Dockerfile", ({ dockerfile }) => dockerfile ?? "Dockerfile"),
  list("build.platforms", "Platforms", () => "linux/amd64"),
  question("metadata.discovery.version", "Version of the software", () => "0.1.0"),
  list("build.tags", "Tags", (_, answered) => textOf(answered("metadata.discovery.version"))),
  question("metadata.discovery.title", "Title", (_, answered) => textOf(answered("registry.image"))),
  question("metadata.discovery.description", "Description", (_, answered) => {
    const title = textOf(answered("metadata.discovery.title"));
    return title === undefined ? undefined : `Container image of ${title}`.slice(0, 255);
  }),
  question("metadata.discovery.source", "URL of the source code", ({ git }) => git.remote),
  question("metadata.discovery.authors[0].name", "Author", ({ git }) => git.author.name),
  question("metadata.discovery.authors[0].email", "E-mail of the author", ({ git }) => git.author.email),
  question("metadata.discovery.licenses", "Licence (SPDX)", ({ license }) => license),
  list("metadata.discovery.keywords", "Keywords", () => ""),
  list("metadata.discovery.tools", "Software inside", () => ""),
  list("metadata.discovery.domain", "Domains", () => "astronomy"),
  list("metadata.discovery.kind", "Kinds of session", () => "headless"),
];

/** Looks around in `directory`; what is not there is undefined. */
export async function lookAround(directory: string, git: GitFacts): Promise<Surroundings> {
  // A folder that is not there yet holds nothing
  const names = await readdir(directory).catch((): string[] => []);
  const dockerfile = ["Dockerfile", "Containerfile"].find((name) => names.includes(name));
  const license = names.find((name) => /^(?:licen[cs]e|copying)(?:\.(?:md|txt))?$/i.test(name));
  const text = license === undefined ? "" : await readFile(join(directory, license), "utf8").catch(() => "");
  return { directory, git, dockerfile, license: licenseOf(text.slice(0, 2000)) };
}

type Proposal = Question["proposal"];

function question(path: string, text: string, proposal: Proposal): Question {
  return { path: parsePath(path) ?? [path], text, proposal };
}

function list(path: string, text: string, proposal: Proposal): Question {
  return { ...question(path, `${text}, with commas between them`, proposal), isList: true };
}

function registryOf(remote: string | undefined): string {
  const host = remote === undefined ? "" : new URL(remote).hostname;
  if (host === "github.com") return "ghcr.io";
  return host === "gitlab.com" ? "registry.gitlab.com" : "images.canfar.net";
}

function remotePath(remote: string | undefined): readonly string[] {
  if (remote === undefined) return [];
  return new URL(remote).pathname.split("/").filter((part) => part !== "");
}

/** The text as a part of a repository's name; undefined where nothing of it can be one. */
function nameOf(text: string): string | undefined {
  const name = text
    .toLowerCase()
    .replace(/[^a-z0-9/._-]+/g, "-")
    .replace(/(?<![a-z0-9])[._-]+|[._-]+(?![a-z0-9])/g, "");
  return isRepository(name) ? name : undefined;
}

/** Titles that licences bear in their first lines; the "only" or "or later" of the GNU ones stands elsewhere. */
const licenseTitles: readonly (readonly [title: RegExp, identifier: string])[] = [
  [/Apache License\s+Version 2\.0/, "Apache-2.0"],
  [/^\s*(?:The )?MIT License/, "MIT"],
  [/BSD 3-Clause/i, "BSD-3-Clause"],
  [/BSD 2-Clause/i, "BSD-2-Clause"],
  [/GNU AFFERO GENERAL PUBLIC LICENSE\s+Version 3/, "AGPL-3.0-only"],
  [/GNU LESSER GENERAL PUBLIC LICENSE\s+Version 3/, "LGPL-3.0-only"],
  [/GNU GENERAL PUBLIC LICENSE\s+Version 3/, "GPL-3.0-only"],
  [/GNU GENERAL PUBLIC LICENSE\s+Version 2/, "GPL-2.0-only"],
  [/Mozilla Public License,? Version 2\.0/i, "MPL-2.0"],
];

function licenseOf(text: string): string | undefined {
  return licenseTitles.find(([title]) => title.test(text))?.[1];
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}
