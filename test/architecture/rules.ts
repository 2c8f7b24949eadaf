import { isBuiltin } from "node:module";
import { posix } from "node:path";
import type { Source } from "./sources.ts";

/** A place that breaks a rule of docs/architecture.md. */
export interface Violation {
  /** `src/oci/digest.ts:3`. */
  readonly place: string;
  readonly problem: string;
}

/** The longest file, in lines. */
const lineLimit = 350;

/** For each folder of `src/`, the others that it may import. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  core: [],
  oci: ["core"],
  store: ["tar", "oci", "core"],
  registry: ["store", "oci", "core"],
  tar: ["core"],
  image: ["tar", "store", "oci", "core"],
  manifest: ["oci", "core"],
  git: ["core"],
  build: ["manifest", "oci", "core"],
  server: ["store", "oci", "core"],
  runtime: ["core"],
  operations: ["server", "tar", "build", "git", "manifest", "image", "registry", "store", "oci", "core"],
  cli: ["operations", "runtime", "core"],
  main: ["cli", "core"],
};

/** Where each outside package may be imported; `*` for everywhere. */
const homes: Readonly<Record<string, readonly string[]>> = {
  valibot: ["*"],
  yaml: ["manifest"],
  "spdx-license-ids": ["manifest"],
  "@valibot/to-json-schema": ["manifest"],
  "isomorphic-git": ["git"],
  bcryptjs: ["server"],
};

/** Built-ins of Node.js that a port covers: only its implementations use them. */
const portBuiltins = new Set(
  "http https http2 net tls dns dgram child_process cluster worker_threads process readline repl sqlite tty timers".split(
    " ",
  ),
);

/** Names of built-ins that a port covers, whose module is of use for something else too. */
const portNames: Readonly<Record<string, readonly string[]>> = {
  crypto: ["randomBytes", "randomUUID", "randomInt", "getRandomValues", "webcrypto"],
  os: ["homedir", "userInfo"],
};

/** Globals by the folders that may use them. The first entry that fits counts: a property before the whole object. */
const globals: readonly { readonly name: RegExp; readonly in: readonly string[] }[] = [
  { name: /^process\.exit$/, in: ["main"] },
  { name: /^process\b/, in: ["cli", "runtime", "main"] },
  { name: /^(Bun|Deno)\b/, in: ["runtime"] },
  { name: /^(Math\.random|crypto\.(getRandomValues|randomUUID))$/, in: ["runtime"] },
  { name: /^(Date\.now|new Date\(\)|performance\b.*)$/, in: ["cli", "runtime"] },
  { name: /^(console|globalThis)\b/, in: ["cli", "runtime"] },
  { name: /^(fetch|WebSocket|Worker|XMLHttpRequest)$/, in: ["runtime"] },
];

/** Imports against the direction of the folders. */
export function directionViolations(sources: readonly Source[]): readonly Violation[] {
  return check(sources, (source) =>
    source.imports.flatMap(({ specifier, line }) => {
      if (!specifier.startsWith(".")) return [];
      const target = posix.join(posix.dirname(source.path), specifier);
      const from = folderOf(source.path);
      const to = folderOf(target);
      // The version of the program
      if (target === "../package.json") return [];
      if (target.startsWith("..")) return [{ line, problem: `imports ${specifier}, which lies outside src/` }];
      if (mayImport[from] === undefined) return [{ line, problem: `${from}/ is not in the table of imports` }];
      if (from === to || mayImport[from].includes(to)) return [];
      return [{ line, problem: `${from} imports ${to}: ${specifier}` }];
    }),
  );
}

/** Outside packages away from their homes, and built-ins where they must not be. */
export function packageViolations(sources: readonly Source[]): readonly Violation[] {
  return check(sources, (source) => {
    const folder = folderOf(source.path);
    return source.imports.flatMap(({ specifier, names, line }) => {
      if (specifier.startsWith(".")) return [];
      const problem = packageProblem(folder, specifier, names);
      return problem === undefined ? [] : [{ line, problem }];
    });
  });
}

/** Globals of the runtime, the clock and the terminal outside the folders that implement the ports. */
export function globalViolations(sources: readonly Source[]): readonly Violation[] {
  return check(sources, (source) =>
    source.globals.flatMap(({ name, line }) => {
      const rule = globals.find((candidate) => candidate.name.test(name));
      if (!rule || rule.in.includes(folderOf(source.path))) return [];
      return [{ line, problem: `uses ${name}` }];
    }),
  );
}

/** Files that are too long. */
export function lengthViolations(sources: readonly Source[]): readonly Violation[] {
  return check(sources, ({ lines }) =>
    lines > lineLimit ? [{ line: lines, problem: `has ${lines} lines, more than ${lineLimit}` }] : [],
  );
}

/** Exports without a doc comment directly above (a command's own summary is one), and default exports. */
export function exportViolations(sources: readonly Source[]): readonly Violation[] {
  return check(sources, (source) =>
    source.exports.flatMap(({ name, line, documented }) => {
      if (name === "default") return [{ line, problem: "has a default export" }];
      return documented || source.path.startsWith("cli/commands/")
        ? []
        : [{ line, problem: `exports ${name} without a doc comment` }];
    }),
  );
}

function check(
  sources: readonly Source[],
  find: (source: Source) => readonly { readonly line: number; readonly problem: string }[],
): readonly Violation[] {
  return sources.flatMap((source) =>
    find(source).map(({ line, problem }) => ({ place: `src/${source.path}:${line}`, problem })),
  );
}

/** `oci` of `oci/digest.ts`, `main` of `main.ts`. */
function folderOf(path: string): string {
  return path.includes("/") ? path.slice(0, path.indexOf("/")) : path.replace(/\.ts$/, "");
}

function packageProblem(folder: string, specifier: string, names: readonly string[]): string | undefined {
  if (specifier === "bun" || specifier.startsWith("bun:")) {
    return folder === "runtime" ? undefined : `imports ${specifier}`;
  }
  if (isBuiltin(specifier)) return builtinProblem(folder, specifier, names);
  const name = specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/");
  const allowed = homes[name];
  if (allowed === undefined) return `imports ${name}, which has no home`;
  if (allowed.includes("*") || allowed.includes(folder)) return undefined;
  return `imports ${name}, whose home is ${allowed.join(", ")}`;
}

function builtinProblem(folder: string, specifier: string, names: readonly string[]): string | undefined {
  if (!specifier.startsWith("node:")) return `imports ${specifier} without node:`;
  if (folder === "oci") return `imports ${specifier} into pure values`;
  if (folder === "runtime") return undefined;
  const name = specifier.slice("node:".length).split("/", 1)[0] ?? "";
  if (portBuiltins.has(name)) return `imports ${specifier}, which a port covers`;
  const covered = names.filter((imported) => portNames[name]?.includes(imported));
  return covered.length === 0 ? undefined : `imports ${covered.join(", ")} of ${specifier}, which a port covers`;
}
