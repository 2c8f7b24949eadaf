import { type CompletedCommand, type CompletionGrammar, firstWords, type ValueKind } from "./grammar.ts";

/** A script for bash 3.2 and later; `source <(library completion bash)` installs it. */
export function bashCompletion(grammar: CompletionGrammar): string {
  const groups = [...grammar.groups.keys()];
  const top = firstWords(grammar).map(({ word }) => word);
  return `# Completion of library for bash: source <(library completion bash)

_library_words() {
  local IFS=$' \\t\\n'
  COMPREPLY=($(compgen -W "$1" -- "$cur"))
}

_library_files() {
  local IFS=$'\\n'
  compopt -o filenames 2>/dev/null
  COMPREPLY=($(compgen "$1" -- "$cur"))
}

_library() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD - 1]} command="" word index
  COMPREPLY=()
  # bash splits words at "=" and ":" too
  if [[ $cur == "=" || $cur == ":" ]]; then
    [[ $cur == "=" ]] || prev=""
    cur=""
  elif [[ $prev == "=" ]]; then
    prev=\${COMP_WORDS[COMP_CWORD - 2]}
  fi
  for ((index = 1; index < COMP_CWORD; index++)); do
    word=\${COMP_WORDS[index]}
    [[ $word == -* ]] && continue
    if [[ -z $command ]]; then
      command=$word
      case $command in
        ${groups.length > 0 ? groups.join(" | ") : '""'}) continue ;;
      esac
    else
      command="$command $word"
    fi
    break
  done
  case $command in
    "")
      if [[ $cur == -* ]]; then _library_words "--help --version"; else _library_words "${top.join(" ")}"; fi
      ;;
${[...grammar.groups].map(([word, seconds]) => `    ${word}) _library_words "${seconds.map((second) => second.word).join(" ")}" ;;`).join("\n")}
${grammar.commands.map((command) => commandCase(command, top)).join("\n")}
  esac
}

complete -F _library library
`;
}

function commandCase(command: CompletedCommand, top: readonly string[]): string {
  const lines = [`    ${command.names.map((name) => (name.includes(" ") ? `"${name}"` : name)).join(" | ")})`];
  const valued = command.flags.filter((flag) => flag.value !== undefined);
  if (valued.length > 0) {
    lines.push("      case $prev in");
    for (const { long, short, value } of valued) {
      const names = short === undefined ? long : `${long} | ${short}`;
      lines.push(`        ${names}) ${offer(value?.offers ?? { kind: "free" }, top)}return ;;`);
    }
    lines.push("      esac");
  }
  const flags = command.flags.flatMap(({ long, short }) => (short === undefined ? [long] : [long, short])).join(" ");
  lines.push(`      if [[ $cur == -* ]]; then _library_words "${flags}"`);
  const offered = command.arguments.find(({ offers }) => offers.kind !== "free");
  if (offered !== undefined) lines.push(`      else ${offer(offered.offers, top).replace(/; $/, "")}`);
  lines.push("      fi", "      ;;");
  return lines.join("\n");
}

function offer(offers: ValueKind, top: readonly string[]): string {
  switch (offers.kind) {
    case "files":
      return "_library_files -f; ";
    case "folders":
      return "_library_files -d; ";
    case "commands":
      return `_library_words "${top.join(" ")}"; `;
    case "choices":
      return `_library_words "${offers.choices.join(" ")}"; `;
    case "free":
      return "";
  }
}
