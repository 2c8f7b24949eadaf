import { parseArgs } from "node:util";
import { InvalidInputError, type LibraryError, type Problem, UsageError } from "../core/error.ts";
import type { AnyCommand, OptionSpec } from "./command.ts";
import { allOptions, flagName, type Options } from "./options.ts";
import { suggest } from "./suggest.ts";

/** Arguments as they were written: strings, lists and `true`; what was not given is absent. */
export type RawValues = Readonly<Record<string, string | true | readonly string[]>>;

/** One command line, taken apart but not yet judged by the command's schema. */
export interface CommandLine {
  /** By the keys of the command's arguments and options, and `passthrough` where a bare `--` was given. */
  readonly own: RawValues;
  /** By the keys of `commonOptions`, `registryOptions` and `digestOptions`. */
  readonly shared: RawValues;
}

/**
 * The values of what follows the command's name. No value is converted: `--tag 1.10` is the string `1.10`. A value
 * that begins with a dash is given as `--flag=-value`; a single `-` is a value.
 * Throws `usage`, with every problem of the line at once.
 */
export function parseCommandLine(spec: AnyCommand, args: readonly string[]): CommandLine {
  const options = allOptions(spec);
  const keys = new Map(Object.keys(options).map((key) => [flagName(key).slice(2), key]));
  const { tokens } = parseArgs({
    args: [...args],
    strict: false,
    allowPositionals: true,
    tokens: true,
    options: Object.fromEntries(Object.entries(options).map(([key, option]) => parseArgsOption(key, option))),
  });

  const problems: Problem[] = [];
  const values = new Map<string, string | true | string[]>();
  const positionals: string[] = [];
  let passthrough: string[] | undefined;
  for (const token of tokens) {
    if (token.kind === "option-terminator") passthrough = [];
    else if (token.kind === "positional") (passthrough ?? positionals).push(token.value);
    else {
      const key = keys.get(token.name);
      const option = key === undefined ? undefined : options[key];
      if (key === undefined || option === undefined) problems.push(unknownFlag(spec, token.rawName, options));
      else addOption(values, key, option, token, problems);
    }
  }
  if (passthrough !== undefined && spec.passthrough !== true) {
    problems.push({ message: `Cannot use "--": "library ${spec.name}" passes nothing on`, path: "--" });
  }

  const own: Record<string, string | true | readonly string[]> = {};
  addPositionals(spec, positionals, own, problems);
  const shared: Record<string, string | true | readonly string[]> = {};
  for (const [key, value] of values) (Object.hasOwn(spec.options ?? {}, key) ? own : shared)[key] = value;
  if (passthrough !== undefined) own.passthrough = passthrough;
  if (problems.length > 0) throw usageError(spec, problems);
  return { own, shared };
}

/** One error for all problems of a command line: code `usage`. */
export function usageError(spec: AnyCommand, problems: readonly Problem[]): LibraryError {
  const more = `Run "library ${spec.name} --help"`;
  const [first] = problems;
  if (problems.length === 1 && first !== undefined) return new UsageError(first.message, { hint: first.hint ?? more });
  const message = `Cannot run "library ${spec.name}": ${problems.length} problems on the command line`;
  return new InvalidInputError(message, { code: "usage", problems, hint: more });
}

function parseArgsOption(key: string, option: OptionSpec) {
  const type = option.kind === "flag" ? ("boolean" as const) : ("string" as const);
  const short = option.short === undefined ? {} : { short: option.short };
  return [flagName(key).slice(2), { type, ...short }] as const;
}

interface OptionToken {
  readonly rawName: string;
  readonly value?: string | undefined;
  readonly inlineValue?: boolean | undefined;
}

function addOption(
  values: Map<string, string | true | string[]>,
  key: string,
  option: OptionSpec,
  token: OptionToken,
  problems: Problem[],
): void {
  const name = flagName(key);
  const { value } = token;
  if (option.kind === "flag") {
    if (value === undefined) values.set(key, true);
    else problems.push({ message: `Cannot use ${name} with a value: it takes none`, path: name });
    return;
  }
  const placeholder = option.placeholder ?? "VALUE";
  if (value === undefined) {
    problems.push({ message: `Cannot use ${token.rawName} without a value: expected ${placeholder}`, path: name });
  } else if (token.inlineValue !== true && value.startsWith("-") && value.length > 1) {
    const hint = `Write ${name}=${value} if this is the value`;
    problems.push({ message: `Cannot use ${token.rawName} without a value: "${value}" follows`, path: name, hint });
  } else if (option.kind === "value") {
    if (values.has(key)) problems.push({ message: `Cannot use ${name} twice: it takes one value`, path: name });
    values.set(key, value);
  } else {
    const list = values.get(key);
    if (Array.isArray(list)) list.push(value);
    else values.set(key, [value]);
  }
}

function addPositionals(
  spec: AnyCommand,
  positionals: readonly string[],
  own: Record<string, string | true | readonly string[]>,
  problems: Problem[],
): void {
  let next = 0;
  for (const [key, argument] of Object.entries(spec.arguments ?? {})) {
    const isList = argument.kind === "list" || argument.kind === "required-list";
    const given = isList ? positionals.slice(next) : positionals.slice(next, next + 1);
    next += given.length;
    const [first] = given;
    if (first !== undefined) own[key] = isList ? given : first;
    else if (argument.kind === "required" || argument.kind === "required-list") {
      problems.push({
        message: `Cannot run "library ${spec.name}" without ${argument.placeholder}: ${argument.description}`,
        path: argument.placeholder,
      });
    }
  }
  // An unknown flag leaves its value behind as an argument: one problem is enough
  const extra = positionals[next];
  if (extra !== undefined && problems.length === 0) {
    const takes = next === 0 ? "no argument" : next === 1 ? "one argument" : `${next} arguments`;
    problems.push({ message: `Cannot use argument "${extra}": "library ${spec.name}" takes ${takes}`, path: extra });
  }
}

// What other tools call it
const foreignFlags: Readonly<Record<string, string>> = {
  "--insecure": "Use --insecure-registry HOST, or --plain-http",
  "--tls-verify": "Use --insecure-registry HOST",
  "--dest-tls-verify": "Use --insecure-registry HOST",
  "--src-tls-verify": "Use --insecure-registry HOST",
  "--verbose": "Use --debug",
  "-v": "Use --debug",
  "-d": "Use --debug",
  "--format": "Use --json",
  "--registry-config": "Use --authfile FILE",
  "--password": "Use --password-stdin, which no process list shows",
  "-p": "Use --password-stdin, which no process list shows",
  "--oci-layout": 'Write the place as "oci:DIR"',
  "--from-oci-layout": 'Write the place as "oci:DIR"',
  "--to-oci-layout": 'Write the place as "oci:DIR"',
  "--recursive": "Use --referrers all, which is the default",
  "-r": "Use --referrers all, which is the default",
};

function unknownFlag(spec: AnyCommand, rawName: string, options: Options): Problem {
  const names = Object.keys(options).map(flagName);
  const message = `Cannot use ${rawName}: "library ${spec.name}" has no such flag`;
  const foreign = Object.hasOwn(foreignFlags, rawName) ? foreignFlags[rawName] : undefined;
  const meant = foreign?.match(/--[a-z-]+/)?.[0];
  if (foreign !== undefined && (meant === undefined || names.includes(meant))) {
    return { message, path: rawName, hint: foreign };
  }
  const near = rawName.startsWith("--") ? suggest(rawName, names) : [];
  const hint = near.length > 0 ? `Did you mean ${near.join(" or ")}?` : undefined;
  return { message, path: rawName, hint };
}
