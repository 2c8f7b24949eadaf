import * as v from "valibot";
import type { Report } from "../../core/report.ts";
import { defineCommand } from "../command.ts";

interface CompletionReport extends Report {
  readonly shell: string;
  readonly script: string;
}

/** `library completion`: made from the specs of all commands, so that it never lags behind them. */
export const completion = defineCommand({
  name: "completion",
  summary: "Print the script that lets a shell complete commands and flags",
  description:
    'bash: add "source <(library completion bash)" to ~/.bashrc. zsh: save it as "_library" in a folder of fpath. fish: save it as ~/.config/fish/completions/library.fish.',
  arguments: { shell: { kind: "required", placeholder: "bash|zsh|fish", description: "The shell" } },
  examples: ["library completion bash", "library completion fish"],
  input: v.strictObject({
    shell: v.picklist(["bash", "zsh", "fish"], ({ received }) => `${received} is unknown, expected bash, zsh or fish`),
  }),
  run:
    async () =>
    async (_, input): Promise<CompletionReport> => {
      // Here, because the list of commands leads back to this one
      const [{ commands }, { completionGrammar }] = await Promise.all([
        import("../commands.ts"),
        import("../completion/grammar.ts"),
      ]);
      const grammar = completionGrammar(await Promise.all(commands.map((entry) => entry.load())));
      return { status: "ok", shell: input.shell, script: (await generators[input.shell]())(grammar) };
    },
  text: (report) => report.script,
});

const generators = {
  bash: async () => (await import("../completion/bash.ts")).bashCompletion,
  zsh: async () => (await import("../completion/zsh.ts")).zshCompletion,
  fish: async () => (await import("../completion/fish.ts")).fishCompletion,
};
