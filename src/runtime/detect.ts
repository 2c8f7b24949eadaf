/** The JavaScript runtime that executes this program. */
export const runtime: "bun" | "deno" | "node" =
  process.versions.bun !== undefined ? "bun" : "deno" in process.versions ? "deno" : "node";

/** Whether this is the compiled executable, whose modules lie in a file system of its own. */
export const isCompiled: boolean = import.meta.url.includes("/$bunfs/") || import.meta.url.includes("~BUN");
