import type * as v from "valibot";
import type { Operation } from "../core/context.ts";
import type { Report } from "../core/report.ts";

/** One flag of a command; its name is the key in kebab-case, `dryRun` is `--dry-run`. */
export interface OptionSpec {
  /** `flag` takes no value, `value` takes one, `values` may be repeated and gives a list. */
  readonly kind: "flag" | "value" | "values";
  /** One letter, as `m` for `-m`. */
  readonly short?: string;
  /**
   * What help calls the value: `FILE`, `KEY=VALUE`; `gzip|zstd` lists all values there are. Completion offers those,
   * files for FILE, MANIFEST, REF, … and folders for DIR.
   */
  readonly placeholder?: string;
  /** One line for help, without a full stop. */
  readonly description: string;
  /** As help shows it; the default itself lives in the input schema. */
  readonly default?: string;
}

/** A positional argument, in order; its key is the input's. A `list` comes last and takes all that is left. */
export interface ArgumentSpec {
  readonly kind: "required" | "optional" | "list" | "required-list";
  /** What help calls it: `REF`, `SOURCE`. */
  readonly placeholder: string;
  readonly description: string;
}

/** How a result is rendered. */
export interface TextStyle {
  /** Wraps text in bold, dim, … where the terminal can; the identity elsewhere. */
  bold(text: string): string;
  dim(text: string): string;
  red(text: string): string;
  green(text: string): string;
  yellow(text: string): string;
}

/**
 * A verb as the command line sees it. The key of each argument and option is a key of the input schema, which turns
 * the raw strings, lists and booleans into the operation's input; absent options are absent, never empty.
 */
export interface CommandSpec<Schema extends v.GenericSchema, R extends Report> {
  /** One or two words: `tag`, `push image`. */
  readonly name: string;
  readonly aliases?: readonly string[];
  /** One line, an imperative without a full stop. */
  readonly summary: string;
  /** A paragraph for `--help`, where the summary does not say it all. */
  readonly description?: string;
  readonly arguments?: Readonly<Record<string, ArgumentSpec>>;
  readonly options?: Readonly<Record<string, OptionSpec>>;
  /** Takes the flags of `registryOptions`: the command talks to registries; `asking` where one request follows the other. */
  readonly network?: boolean | "asking";
  /** Takes `--digest-file FILE`, into which this digest of the report is written. */
  readonly digest?: (report: R) => string | undefined;
  /** What follows a bare `--` is given to the input as `passthrough`. */
  readonly passthrough?: boolean;
  /** At least two real command lines; a test parses each of them. */
  readonly examples: readonly [string, string, ...string[]];
  readonly input: Schema;
  /** Imports the operation: here and nowhere else, so that start-up pays for one command only. */
  readonly run: () => Promise<Operation<v.InferOutput<Schema>, R>>;
  /** The result as text, without a last line end; empty for nothing. */
  readonly text: (report: R, style: TextStyle) => string;
  /** Standard output is the bytes of the operation itself (`-o -`, `completion`): no text and no JSON around them. */
  readonly raw?: (input: v.InferOutput<Schema>) => boolean;
}

/** A command whose types were tied together where it was defined. */
export type AnyCommand = CommandSpec<v.GenericSchema, Report>;

/** The command as given; ties schema, operation and text by inference, so that a wrong field does not compile. */
export function defineCommand<Schema extends v.GenericSchema, R extends Report>(
  spec: CommandSpec<Schema, R>,
): AnyCommand {
  // Inside, schema, operation and text agree; from outside, only parsed input reaches them
  return spec as unknown as AnyCommand;
}
