import * as v from "valibot";
import { UsageError } from "../../core/error.ts";
import type { Report } from "../../core/report.ts";
import { defineCommand } from "../command.ts";

interface HelpReport extends Report {
  readonly help: string;
}

/** `library help`: the same text as `--help`, as a result that `--json` can carry. */
export const help = defineCommand({
  name: "help",
  summary: "Show the help of a command, or all commands",
  arguments: {
    command: { kind: "list", placeholder: "COMMAND", description: "One or two words: push image" },
  },
  examples: ["library help", "library help push image"],
  input: v.strictObject({ command: v.optional(v.array(v.string()), []) }),
  run: async () => async (_, input) => ({ status: "ok", help: await helpOn(input.command) }) satisfies HelpReport,
  text: (report) => report.help,
});

async function helpOn(words: readonly string[]): Promise<string> {
  // Here, because these modules lead back to this one
  const [{ commandSections }, { findCommand }] = await Promise.all([import("../commands.ts"), import("../find.ts")]);
  const found = findCommand(
    words.length === 0 ? ["--help"] : ["--help", ...words],
    commandSections.flatMap((section) => section.commands),
  );
  if (found.kind !== "command") {
    const { loadOverview } = await import("../overview.ts");
    return await loadOverview(commandSections, found.kind === "overview" ? found.group : undefined, 80);
  }
  const extra = found.args.find((word) => word !== "--help");
  if (extra !== undefined) {
    throw new UsageError(`Cannot find command "${words.join(" ")}"`, {
      hint: `Run "library help ${found.entry.name}"`,
    });
  }
  const { commandHelp } = await import("../help-text.ts");
  return commandHelp(await found.entry.load(), 80);
}
