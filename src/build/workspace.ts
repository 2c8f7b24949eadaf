import { join, resolve } from "node:path";

/** Where what is made of a manifest lies; absolute paths. */
export interface Workspace {
  /** `.library` beside the manifest. */
  readonly folder: string;
  readonly layout: string;
  readonly report: string;
}

/** The workspace of the manifest in `directory`; `layout`, counted from `cwd`, is used instead of its own where given. */
export function workspaceOf(directory: string, layout: string | undefined, cwd: string): Workspace {
  const folder = join(directory, ".library");
  return {
    folder,
    layout: layout === undefined ? join(folder, "layout") : resolve(cwd, layout),
    report: join(folder, "build.json"),
  };
}
