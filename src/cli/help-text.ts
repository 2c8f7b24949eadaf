import type { AnyCommand, ArgumentSpec, OptionSpec } from "./command.ts";
import { flagName, optionGroups } from "./options.ts";

/** The help of one command, with a line end; no line is wider than `columns` where words allow. */
export function commandHelp(spec: AnyCommand, columns = 80): string {
  const parts: string[] = [`${spec.summary}\n`];
  if (spec.description !== undefined) parts.push(`${wrap(spec.description, columns).join("\n")}\n`);
  const usage = [`Usage: ${usageLine(spec)}`];
  if (spec.aliases !== undefined && spec.aliases.length > 0) {
    usage.push(`Alias: ${spec.aliases.map((alias) => `library ${alias}`).join(", ")}`);
  }
  parts.push(`${usage.join("\n")}\n`);
  const argumentRows = Object.values(spec.arguments ?? {}).map((argument) =>
    row(argument.placeholder, argument.description),
  );
  const groups = optionGroups(spec).map(({ heading, options }) => ({
    heading,
    rows: Object.entries(options).map(([key, option]) => row(optionTitle(key, option), optionDescription(option))),
  }));
  const sections = [{ heading: "Arguments", rows: argumentRows }, ...groups].filter(({ rows }) => rows.length > 0);
  const titleWidth = Math.max(...sections.flatMap(({ rows }) => rows.map(({ title }) => title.length)));
  for (const { heading, rows } of sections) parts.push(section(heading, rows, titleWidth, columns));
  parts.push(`Examples:\n${spec.examples.map((example) => `  ${example}`).join("\n")}\n`);
  return parts.join("\n");
}

/** `library copy SOURCE DESTINATION [flags]`. */
export function usageLine(spec: AnyCommand): string {
  const words = Object.values(spec.arguments ?? {}).map(argumentUsage);
  const passthrough = spec.passthrough === true ? ["[-- ARGUMENT...]"] : [];
  return ["library", spec.name, ...words, "[flags]", ...passthrough].join(" ");
}

/** `TAG...` for a list, in brackets where it may be absent. */
export function argumentUsage(argument: ArgumentSpec): string {
  const { kind, placeholder } = argument;
  const name = kind === "list" || kind === "required-list" ? `${placeholder}...` : placeholder;
  return kind === "optional" || kind === "list" ? `[${name}]` : name;
}

/** `-o, --output FILE`. */
export function optionTitle(key: string, option: OptionSpec): string {
  const short = option.short === undefined ? "    " : `-${option.short}, `;
  const value =
    option.kind === "flag" ? "" : ` ${option.placeholder ?? "VALUE"}${option.kind === "values" ? "..." : ""}`;
  return `${short}${flagName(key)}${value}`;
}

/** A command as the overview lists it. */
export interface OverviewRow {
  readonly name: string;
  readonly aliases?: readonly string[] | undefined;
  readonly summary: string;
}

/** The help of the whole program, or of the commands that begin with one word, with a line end. */
export function overview(
  sections: readonly { readonly heading: string; readonly commands: readonly OverviewRow[] }[],
  columns = 80,
): string {
  const parts = [
    "From a manifest beside a Dockerfile to a signed, searchable, verifiable container image\n",
    "Usage: library COMMAND [arguments] [flags]\n",
  ];
  const rows = sections.map(({ heading, commands }) => ({
    heading,
    rows: commands.map(({ name, aliases, summary }) => row([name, ...(aliases ?? [])].join(", "), summary)),
  }));
  const titleWidth = Math.max(...rows.flatMap((entry) => entry.rows.map(({ title }) => title.length)));
  for (const entry of rows) parts.push(section(entry.heading, entry.rows, titleWidth, columns));
  parts.push(
    `Exit status: ${exitStatusLine}\n`,
    'Run "library COMMAND --help" for the flags of a command and examples.\n',
  );
  return parts.join("\n");
}

/** What every exit status means, on one line. */
const exitStatusLine =
  "0 yes, 1 the answer is no, 2 usage, invalid input or configuration, 3 could not be done, 70 a bug, 130 interrupted";

interface Row {
  readonly title: string;
  readonly description: string;
}

function row(title: string, description: string): Row {
  return { title, description };
}

function optionDescription(option: OptionSpec): string {
  return option.default === undefined ? option.description : `${option.description} (default ${option.default})`;
}

// Titles wider than this get a line of their own
const widestTitle = 32;

function section(heading: string, rows: readonly Row[], titleWidth: number, columns: number): string {
  const width = Math.min(titleWidth, widestTitle);
  const indent = " ".repeat(width + 4);
  const lines = [`${heading}:`];
  for (const { title, description } of rows) {
    const [first = "", ...rest] = wrap(description, Math.max(30, columns - indent.length));
    if (title.length > width) lines.push(`  ${title}`, `${indent}${first}`);
    else lines.push(`  ${title.padEnd(width)}  ${first}`);
    for (const line of rest) lines.push(`${indent}${line}`);
  }
  return `${lines.join("\n")}\n`;
}

function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  for (const paragraph of text.split("\n")) {
    let line = "";
    for (const word of paragraph.split(" ")) {
      if (line !== "" && line.length + 1 + word.length > width) {
        lines.push(line);
        line = word;
      } else line = line === "" ? word : `${line} ${word}`;
    }
    lines.push(line);
  }
  return lines;
}
