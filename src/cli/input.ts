import * as v from "valibot";
import type { NetworkSettings } from "../core/context.ts";
import type { Problem } from "../core/error.ts";
import type { AnyCommand } from "./command.ts";
import { flagName } from "./options.ts";
import { type RawValues, usageError } from "./parse.ts";

/** The operation's input: what the command's schema makes of the values. Throws `usage` with every problem, each named by its flag. */
export function parseInput(spec: AnyCommand, own: RawValues): unknown {
  const result = v.safeParse(spec.input, own);
  if (result.success) return result.output;
  throw usageError(
    spec,
    result.issues.map((issue) => toProblem(spec, issue)),
  );
}

const sharedSchema = v.object({
  json: v.optional(v.literal(true)),
  quiet: v.optional(v.literal(true)),
  debug: v.optional(v.literal(true)),
  help: v.optional(v.literal(true)),
  plainHttp: v.optional(v.literal(true)),
  insecureRegistry: v.optional(v.array(v.pipe(v.string(), v.regex(/^[^/\s@]+$/, "expected HOST or HOST:PORT")))),
  caFile: v.optional(v.array(v.pipe(v.string(), v.minLength(1, "expected a file")))),
  authfile: v.optional(v.pipe(v.string(), v.minLength(1, "expected a file"))),
  concurrency: v.optional(
    v.pipe(
      v.string(),
      v.regex(/^([1-9]|[1-5][0-9]|6[0-4])$/, "expected a whole number from 1 to 64"),
      v.transform(Number),
    ),
  ),
  digestFile: v.optional(v.pipe(v.string(), v.minLength(1, "expected a file"))),
});

/** What the flags that commands share say. */
export interface SharedFlags {
  readonly json: boolean;
  readonly quiet: boolean;
  readonly debug: boolean;
  readonly help: boolean;
  readonly network: NetworkSettings;
  readonly digestFile: string | undefined;
}

/** The shared flags with their defaults. Throws `usage` with every problem. */
export function parseShared(spec: AnyCommand, shared: RawValues): SharedFlags {
  const result = v.safeParse(sharedSchema, shared);
  if (!result.success)
    throw usageError(
      spec,
      result.issues.map((issue) => toProblem(spec, issue)),
    );
  const flags = result.output;
  return {
    json: flags.json === true,
    quiet: flags.quiet === true,
    debug: flags.debug === true,
    help: flags.help === true,
    network: {
      plainHttp: flags.plainHttp === true,
      insecureRegistries: flags.insecureRegistry ?? [],
      caFiles: flags.caFile ?? [],
      authFile: flags.authfile,
      concurrency: flags.concurrency ?? 16,
    },
    digestFile: flags.digestFile,
  };
}

function toProblem(spec: AnyCommand, issue: v.BaseIssue<unknown>): Problem {
  const [first] = issue.path ?? [];
  if (first === undefined) return { message: `Cannot run "library ${spec.name}": ${issue.message}` };
  const key = String(first.key);
  const argument = spec.arguments?.[key];
  const name = argument?.placeholder ?? flagName(key);
  if (first.value === undefined) {
    const own = issue.message.startsWith("Invalid ") ? "" : `: ${issue.message}`;
    return { message: `Cannot run "library ${spec.name}" without ${name}${own}`, path: name };
  }
  // valibot's own words speak of types; the user wrote text
  const state = issue.message.startsWith("Invalid ")
    ? `is ${issue.received}, expected ${issue.expected ?? "another value"}`
    : issue.message;
  return { message: `Cannot use ${name}: ${state}`, path: name };
}
