import { UsageError } from "../core/error.ts";
import { buildxFlags, buildxShorthands } from "./buildx-flags.ts";

/** The policy of a manifest: `config.policy`. */
export type PolicyProfile = "default" | "strict" | "expert";

/** A flag of buildx as it was given, with the value it takes. */
export interface GivenFlag {
  /** The long name, without dashes. */
  readonly name: string;
  /** Absent for a switch that stands alone. */
  readonly value?: string;
}

/** What the guardrail lets through, and what it has to say about it. */
export interface Guarded {
  /** In the order given, each to be written as `--name=value` or `--name`. */
  readonly flags: readonly GivenFlag[];
  /** Sentences for the user. */
  readonly warnings: readonly string[];
}

/**
 * Arguments for `buildx build`, read as buildx itself reads them (pflag): `--x=v`, `--x v`, `-xv`, `-x=v`, `-x v` and
 * bundles as `-qDt v`. Throws `owned-flag` for what the manifest or this program says, and for what the policy rejects;
 * `usage` for unknown flags, missing values and positional arguments. `from` names where the arguments come from.
 */
export function guard(args: readonly string[], profile: PolicyProfile, from: string): Guarded {
  const flags = parseFlags(args, from);
  const warnings: string[] = [];
  for (const flag of flags) {
    const { owner } = buildxFlags[flag.name] ?? { owner: "program" };
    if (owner === "manifest" || owner === "program") throw owned(flag.name, owner, from);
    if (owner !== "policy" || profile === "expert") continue;
    if (flag.name === "network" && flag.value !== "host") continue;
    const shown = flag.name === "network" ? "--network=host" : `--${flag.name}`;
    if (profile === "strict") throw rejected(shown, from);
    warnings.push(`${shown} in ${from} changes what the policy decides`);
  }
  return { flags, warnings };
}

/** The flag as one argument of an argv. */
export function flagArgument({ name, value }: GivenFlag): string {
  return value === undefined ? `--${name}` : `--${name}=${value}`;
}

function parseFlags(args: readonly string[], from: string): readonly GivenFlag[] {
  const flags: GivenFlag[] = [];
  const rest = [...args];
  for (let text = rest.shift(); text !== undefined; text = rest.shift()) {
    if (text.startsWith("--") && text.length > 2) flags.push(longFlag(text, rest, from));
    else if (text.startsWith("-") && text.length > 1 && text !== "--") flags.push(...shortFlags(text, rest, from));
    else throw positional(text, from);
  }
  return flags;
}

function longFlag(text: string, rest: string[], from: string): GivenFlag {
  const equals = text.indexOf("=");
  const name = text.slice(2, equals < 0 ? undefined : equals);
  const flag = Object.hasOwn(buildxFlags, name) ? buildxFlags[name] : undefined;
  if (flag === undefined) throw unknown(`--${name}`, from);
  if (equals >= 0) return { name, value: text.slice(equals + 1) };
  if (flag.takes === "none") return { name };
  return { name, value: nextValue(`--${name}`, rest, from) };
}

function shortFlags(text: string, rest: string[], from: string): readonly GivenFlag[] {
  const flags: GivenFlag[] = [];
  for (let letters = text.slice(1); letters !== ""; ) {
    const letter = letters.slice(0, 1);
    const name = Object.hasOwn(buildxShorthands, letter) ? buildxShorthands[letter] : undefined;
    if (name === undefined) throw unknown(`-${letter}`, from);
    letters = letters.slice(1);
    // pflag: what follows `=` is the value even of a switch, but only where something follows it
    if (letters.startsWith("=") && letters.length > 1) return [...flags, { name, value: letters.slice(1) }];
    if (buildxFlags[name]?.takes === "none") {
      flags.push({ name });
    } else {
      flags.push({ name, value: letters === "" ? nextValue(`-${letter}`, rest, from) : letters });
      letters = "";
    }
  }
  return flags;
}

function nextValue(shown: string, rest: string[], from: string): string {
  const value = rest.shift();
  if (value === undefined) {
    throw new UsageError(`Cannot use ${shown} in ${from}: it needs a value`, { hint: `Write it as ${shown}=VALUE` });
  }
  return value;
}

/** Where a manifest says what an owned flag would. */
const places: Readonly<Record<string, string>> = {
  file: "build.file",
  tag: "build.tags",
  platform: "build.platforms",
  label: "metadata.discovery",
  annotation: "metadata.discovery",
  output: "build.output",
  push: 'build.output, or run "library push image" after the build',
  load: "build.output: type=docker",
};

function owned(name: string, owner: "manifest" | "program", from: string): UsageError {
  const problem = owner === "manifest" ? "the manifest says it" : "library uses it itself";
  const place = places[name];
  return new UsageError(`Cannot use --${name} in ${from}: ${problem}`, {
    code: "owned-flag",
    hint: place === undefined ? "Leave it out" : `Say it in the manifest at ${place}`,
  });
}

function rejected(shown: string, from: string): UsageError {
  return new UsageError(`Cannot use ${shown} in ${from}: the policy "strict" rejects it`, {
    code: "owned-flag",
    hint: 'Leave it out, or set config.policy to "default" or "expert" in the manifest',
  });
}

function unknown(shown: string, from: string): UsageError {
  return new UsageError(`Cannot use ${shown} in ${from}: not a flag of buildx build`, {
    hint: 'List them with "docker buildx build --help"',
  });
}

function positional(text: string, from: string): UsageError {
  const problem = text === "--" ? "a second --" : "neither a flag nor its value";
  return new UsageError(`Cannot use ${JSON.stringify(text.slice(0, 160))} in ${from}: ${problem}`, {
    hint: "The build context is build.context of the manifest",
  });
}
