import { type CompletedCommand, type CompletionGrammar, firstWords, type ValueKind } from "./grammar.ts";

/** A script for fish: `library completion fish > ~/.config/fish/completions/library.fish`. */
export function fishCompletion(grammar: CompletionGrammar): string {
  const groups = [...grammar.groups.keys()];
  const top = firstWords(grammar);
  const lines = [
    ...top.map(({ word, summary }) => `complete -c library -n '__library_is ""' -f -a ${word} -d ${quoted(summary)}`),
    ...[...grammar.groups].flatMap(([group, seconds]) =>
      seconds.map(
        ({ word, summary }) => `complete -c library -n '__library_is ${group}' -f -a ${word} -d ${quoted(summary)}`,
      ),
    ),
    ...grammar.commands.flatMap((command) =>
      commandLines(
        command,
        top.map(({ word }) => word),
      ),
    ),
  ];
  return `# Completion of library for fish: library completion fish > ~/.config/fish/completions/library.fish

function __library_command
    set -l command
    set -l words (commandline -opc)
    for word in $words[2..-1]
        string match -q -- '-*' $word; and continue
        set -a command $word
        if test (count $command) -gt 1; or not contains -- $word ${groups.join(" ")}
            break
        end
    end
    string join ' ' -- $command
end

function __library_is
    set -l command (__library_command)
    contains -- "$command" $argv
end

complete -c library -f
${lines.join("\n")}
`;
}

function commandLines(command: CompletedCommand, top: readonly string[]): readonly string[] {
  const names = command.names.map((name) => (name.includes(" ") ? `"${name}"` : name)).join(" ");
  const start = `complete -c library -n '__library_is ${names}'`;
  const flags = command.flags.map(({ long, short, description, value }) => {
    const parts = [start, short === undefined ? "" : `-s ${short.slice(1)}`, `-l ${long.slice(2)}`];
    if (value !== undefined) parts.push(flagValue(value.offers, top));
    return [...parts, `-d ${quoted(description)}`].filter((part) => part !== "").join(" ");
  });
  const offered = command.arguments.find(({ offers }) => offers.kind !== "free");
  return offered === undefined ? flags : [...flags, `${start} ${argumentOf(offered.offers, top)}`];
}

function flagValue(offers: ValueKind, top: readonly string[]): string {
  return offers.kind === "files" ? "-r -F" : `-x ${list(offers, top)}`.trim();
}

function argumentOf(offers: ValueKind, top: readonly string[]): string {
  return offers.kind === "files" ? "-F" : `-f ${list(offers, top)}`.trim();
}

function list(offers: ValueKind, top: readonly string[]): string {
  if (offers.kind === "choices") return `-a ${quoted(offers.choices.join(" "))}`;
  if (offers.kind === "commands") return `-a ${quoted(top.join(" "))}`;
  return offers.kind === "folders" ? "-a '(__fish_complete_directories)'" : "";
}

function quoted(text: string): string {
  return `'${text.replace(/\\/g, "\\\\").replace(/'/g, "\\'")}'`;
}
