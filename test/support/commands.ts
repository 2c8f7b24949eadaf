import * as v from "valibot";
import { type AnyCommand, defineCommand } from "../../src/cli/command.ts";
import type { CommandSection } from "../../src/cli/commands.ts";
import type { Context } from "../../src/core/context.ts";
import type { Report } from "../../src/core/report.ts";

export interface EchoReport extends Report {
  readonly input: unknown;
}

/** A command that takes something of every kind, and reports the values that it was given. */
export function echoCommand(
  act: (context: Context, input: unknown) => Promise<EchoReport> = async (_, input) => ({ status: "ok", input }),
  raw = false,
): AnyCommand {
  return defineCommand({
    name: "echo",
    aliases: ["say"],
    summary: "Report the input",
    arguments: {
      source: { kind: "required", placeholder: "SOURCE", description: "What to echo" },
      extras: { kind: "list", placeholder: "EXTRA", description: "More of it" },
    },
    options: {
      tag: { kind: "values", short: "t", placeholder: "TAG", description: "A tag" },
      output: { kind: "value", short: "o", placeholder: "FILE", description: "Where to" },
      dryRun: { kind: "flag", short: "n", description: "Only say so" },
      platform: { kind: "value", placeholder: "PLATFORM", description: "Which" },
      mode: { kind: "value", placeholder: "fast|safe", description: "How" },
    },
    network: true,
    digest: () => "sha256:abc",
    passthrough: true,
    examples: ["library echo a", "library echo a --tag 1.10"],
    input: v.strictObject({
      source: v.string(),
      extras: v.optional(v.array(v.string())),
      tag: v.optional(v.array(v.pipe(v.string(), v.maxLength(20, "expected at most 20 characters")))),
      output: v.optional(v.string()),
      dryRun: v.optional(v.literal(true)),
      platform: v.optional(v.string()),
      mode: v.optional(v.picklist(["fast", "safe"])),
      passthrough: v.optional(v.array(v.string())),
    }),
    raw: () => raw,
    run: async () => act,
    text: (report, style) => style.bold(JSON.stringify(report.input)),
  });
}

/** A command of two words with a required flag and no argument. */
export const pushImageCommand: AnyCommand = defineCommand({
  name: "push image",
  summary: "Push",
  options: { layout: { kind: "value", placeholder: "DIR", description: "Which" } },
  examples: ["library push image --layout a", "library push image --layout b"],
  input: v.strictObject({ layout: v.string() }),
  run: async () => async (_, input) => ({ status: "ok" as const, input }),
  text: () => "pushed",
});

/** The commands as `run` takes them. */
export function sectionsOf(...specs: readonly AnyCommand[]): readonly CommandSection[] {
  const commands = specs.map((spec) => ({
    name: spec.name,
    aliases: spec.aliases ?? [],
    load: async () => spec,
  }));
  return [{ heading: "All", commands }];
}
