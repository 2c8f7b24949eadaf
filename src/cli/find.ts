import { UsageError } from "../core/error.ts";
import type { CommandEntry } from "./commands.ts";
import { commonOptions, flagName } from "./options.ts";
import { suggest } from "./suggest.ts";

/** What the beginning of a command line asks for. */
export type Found =
  | { readonly kind: "command"; readonly entry: CommandEntry; readonly args: readonly string[] }
  /** Help on all commands, or on those that begin with `group`. */
  | { readonly kind: "overview"; readonly group: string | undefined }
  | { readonly kind: "nothing" };

/**
 * The command that the first two words or the first word name, by its name or an alias; `args` is all the rest, with
 * the common flags that stood before the command. Throws `usage` for an unknown command, with the nearest ones.
 */
export function findCommand(argv: readonly string[], commands: readonly CommandEntry[]): Found {
  const { leading, rest } = splitLeadingFlags(argv);
  const wantsHelp = leading.some((flag) => flag === "--help" || flag === "-h");
  const [first, second] = rest;
  if (first === undefined) return wantsHelp ? { kind: "overview", group: undefined } : { kind: "nothing" };
  if (first === "--version" || first === "-V") return findCommand([...leading, "version", ...rest.slice(1)], commands);
  if (first.startsWith("-")) {
    throw new UsageError(`Cannot use ${first} before a command: only the common flags may stand there`, {
      hint: 'Run "library --help"',
    });
  }
  if (second !== undefined) {
    const entry = named(commands, `${first} ${second}`);
    if (entry !== undefined) return { kind: "command", entry, args: [...leading, ...rest.slice(2)] };
  }
  const entry = named(commands, first);
  if (entry !== undefined) return { kind: "command", entry, args: [...leading, ...rest.slice(1)] };

  const group = commands.filter((command) => command.name.startsWith(`${first} `));
  const asksForGroup = wantsHelp || second === "--help" || second === "-h";
  if (group.length > 0 && asksForGroup) return { kind: "overview", group: first };
  throw unknownCommand(first, second, commands, group);
}

function splitLeadingFlags(argv: readonly string[]): { leading: readonly string[]; rest: readonly string[] } {
  const flags = new Set<string>();
  for (const [key, option] of Object.entries(commonOptions)) {
    flags.add(flagName(key));
    if ("short" in option) flags.add(`-${option.short}`);
  }
  let end = 0;
  while (end < argv.length && flags.has(argv[end] ?? "")) end++;
  return { leading: argv.slice(0, end), rest: argv.slice(end) };
}

function named(commands: readonly CommandEntry[], name: string): CommandEntry | undefined {
  return commands.find((command) => command.name === name || command.aliases?.includes(name));
}

// What other tools call it; shown where the command on the right exists
const foreignCommands: Readonly<Record<string, string>> = {
  list: "tags",
  "list-tags": "tags",
  "tag list": "tags",
  "tag ls": "tags",
  "repo tags": "tags",
  "repo ls": "tags",
  rm: "delete",
  remove: "delete",
  "manifest delete": "delete",
  "manifest rm": "delete",
  "blob fetch": "blob get",
  "blob push": "blob put",
  "manifest fetch": "manifest get",
  "manifest push": "manifest put",
  "image copy": "copy",
  "image inspect": "inspect",
  "image digest": "resolve",
  "auth login": "login",
  "registry login": "login",
  "auth logout": "logout",
  "registry logout": "logout",
  save: "export",
  download: "pull",
  fetch: "pull",
  registry: "serve",
};

function unknownCommand(
  first: string,
  second: string | undefined,
  commands: readonly CommandEntry[],
  group: readonly CommandEntry[],
): UsageError {
  const both = second === undefined || second.startsWith("-") ? undefined : `${first} ${second}`;
  const names = commands.flatMap((command) => [command.name, ...(command.aliases ?? [])]);
  const foreign = [both, first].flatMap((word) => {
    const ours = word !== undefined && Object.hasOwn(foreignCommands, word) ? foreignCommands[word] : undefined;
    return ours !== undefined && names.includes(ours) ? [ours] : [];
  });
  const near =
    group.length > 0 && both === undefined
      ? group.map((command) => command.name)
      : [...(both === undefined ? [] : suggest(both, names)), ...suggest(first, names)];
  const inGroup = group.length > 0 ? group.map((command) => command.name) : [];
  const proposals = [...new Set(foreign.length > 0 ? foreign : near.length > 0 ? near : inGroup)].slice(0, 3);
  const shown = both !== undefined && (group.length > 0 || foreign.length > 0) ? both : first;
  const hint =
    proposals.length > 0
      ? `Did you mean ${proposals.map((name) => `"library ${name}"`).join(" or ")}?`
      : 'Run "library --help" for all commands';
  return new UsageError(`Cannot find command "${shown}"`, { hint });
}
