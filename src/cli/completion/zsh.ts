import {
  type CompletedCommand,
  type CompletedFlag,
  type CompletionGrammar,
  firstWords,
  type ValueKind,
} from "./grammar.ts";

/** A script for zsh: a file named `_library` on `fpath`, or `source <(library completion zsh)` after `compinit`. */
export function zshCompletion(grammar: CompletionGrammar): string {
  return `#compdef library
# Completion of library for zsh: library completion zsh > "\${fpath[1]}/_library"

_library_commands() {
  local -a names
  names=(
${described(firstWords(grammar))}
  )
  _describe -t commands command names
}

_library() {
  local command=$words[2]
  local -a names
  if (( CURRENT == 2 )); then
    _library_commands
    return
  fi
  case $command in
${[...grammar.groups].map(([word, seconds]) => group(word, seconds)).join("\n")}
  esac
  shift words
  (( CURRENT-- ))
  case $command in
${grammar.commands.map(commandCase).join("\n")}
  esac
}

if [[ $funcstack[1] == _library ]]; then
  _library "$@"
else
  compdef _library library
fi
`;
}

function group(word: string, seconds: readonly { readonly word: string; readonly summary: string }[]): string {
  return `    ${word})
      if (( CURRENT == 3 )); then
        names=(
${described(seconds)}
        )
        _describe -t commands command names
        return
      fi
      command="${word} $words[3]"
      shift words
      (( CURRENT-- ))
      ;;`;
}

function described(entries: readonly { readonly word: string; readonly summary: string }[]): string {
  return entries.map(({ word, summary }) => `    ${quoted(`${word}:${summary}`)}`).join("\n");
}

function commandCase(command: CompletedCommand): string {
  const names = command.names.map((name) => (name.includes(" ") ? `"${name}"` : name)).join("|");
  const parts = [
    ...command.flags.flatMap(flagParts),
    ...command.arguments.map(({ placeholder, offers, isList }, index) =>
      quoted(`${isList ? "*" : index + 1}:${escapeColon(placeholder)}:${action(offers)}`),
    ),
  ];
  return `    ${names})\n      _arguments -s ${parts.map((part) => `\\\n        ${part}`).join(" ")}\n      ;;`;
}

function flagParts({ long, short, description, repeated, value }: CompletedFlag): readonly string[] {
  const said = `[${description.replace(/[[\]]/g, "\\$&")}]`;
  const taken = value === undefined ? "" : `:${escapeColon(value.placeholder)}:${action(value.offers)}`;
  const names = short === undefined ? [long] : [short, long];
  const before = repeated ? "*" : `(${names.join(" ")})`;
  return names.map((name) =>
    quoted(`${before}${name}${value !== undefined && name === long ? "=" : ""}${said}${taken}`),
  );
}

function action(offers: ValueKind): string {
  switch (offers.kind) {
    case "files":
      return "_files";
    case "folders":
      return "_files -/";
    case "commands":
      return "_library_commands";
    case "choices":
      return `(${offers.choices.join(" ")})`;
    case "free":
      return " ";
  }
}

function escapeColon(text: string): string {
  return text.replace(/:/g, "\\:");
}

function quoted(text: string): string {
  return `'${text.replace(/'/g, `'\\''`)}'`;
}
