import type { AnyCommand } from "../command.ts";
import { allOptions, choicesOf, flagName } from "../options.ts";

/** What a shell offers for a value. */
export type ValueKind =
  | { readonly kind: "files" | "folders" | "commands" | "free" }
  | { readonly kind: "choices"; readonly choices: readonly string[] };

/** A flag as a shell completes it; `value` is absent where it takes none. */
export interface CompletedFlag {
  readonly long: string;
  readonly short: string | undefined;
  readonly description: string;
  readonly repeated: boolean;
  readonly value: { readonly placeholder: string; readonly offers: ValueKind } | undefined;
}

/** An argument as a shell completes it. */
export interface CompletedArgument {
  readonly placeholder: string;
  readonly offers: ValueKind;
  readonly isList: boolean;
}

/** A command as a shell completes it. */
export interface CompletedCommand {
  /** Its name and its aliases. */
  readonly names: readonly string[];
  readonly summary: string;
  readonly flags: readonly CompletedFlag[];
  readonly arguments: readonly CompletedArgument[];
}

/** What the completion scripts are made of. */
export interface CompletionGrammar {
  readonly commands: readonly CompletedCommand[];
  /** First words that need a second one, with the second words: `push` → `image`. */
  readonly groups: ReadonlyMap<string, readonly { readonly word: string; readonly summary: string }[]>;
}

/** The grammar of the commands that these specs describe. */
export function completionGrammar(specs: readonly AnyCommand[]): CompletionGrammar {
  const groups = new Map<string, { word: string; summary: string }[]>();
  for (const { name, summary } of specs) {
    const [first = "", second] = name.split(" ");
    if (second === undefined) continue;
    const words = groups.get(first) ?? [];
    words.push({ word: second, summary });
    groups.set(first, words);
  }
  return { commands: specs.map(completedCommand), groups };
}

/** The words that may come first, with what help says of them. */
export function firstWords(grammar: CompletionGrammar): readonly { readonly word: string; readonly summary: string }[] {
  const single = grammar.commands.flatMap(({ names, summary }) =>
    names.filter((name) => !name.includes(" ")).map((word) => ({ word, summary })),
  );
  const grouped = [...grammar.groups].map(([word, seconds]) => ({
    word,
    summary: seconds.map((second) => second.word).join(", "),
  }));
  return [...single, ...grouped];
}

function completedCommand(spec: AnyCommand): CompletedCommand {
  return {
    names: [spec.name, ...(spec.aliases ?? [])],
    summary: spec.summary,
    flags: Object.entries(allOptions(spec)).map(([key, option]) => ({
      long: flagName(key),
      short: option.short === undefined ? undefined : `-${option.short}`,
      description: option.description,
      repeated: option.kind === "values",
      value:
        option.kind === "flag"
          ? undefined
          : { placeholder: option.placeholder ?? "VALUE", offers: offersOf(option.placeholder ?? "VALUE") },
    })),
    arguments: Object.values(spec.arguments ?? {}).map(({ kind, placeholder }) => ({
      placeholder,
      offers: offersOf(placeholder),
      isList: kind === "list" || kind === "required-list",
    })),
  };
}

// The placeholder says what a value is: places may be layouts, and so files, after `oci:` too
function offersOf(placeholder: string): ValueKind {
  const choices = choicesOf(placeholder);
  if (choices !== undefined) return { kind: "choices", choices };
  if (placeholder === "COMMAND") return { kind: "commands" };
  if (/DIR|FOLDER/.test(placeholder)) return { kind: /FILE/.test(placeholder) ? "files" : "folders" };
  if (/FILE|MANIFEST|PATH|REF|PLACE|SOURCE|DESTINATION|LOCATION|LAYER/.test(placeholder)) return { kind: "files" };
  return { kind: "free" };
}
