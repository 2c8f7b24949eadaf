import { InvalidInputError } from "../core/error.ts";
import type { Tool } from "./schema.ts";

/** What the tokens of a tool's command are filled with. */
export interface TokenValues {
  /** The image that the tool works on, for `{{ image.reference }}`. */
  readonly imageReference: string;
}

/** A tool's definition as far as its tokens go. */
export type ToolCommand = Pick<Tool, "id" | "command" | "inputs">;

/** A token that cannot be filled; `index` is the argument's in `command`. */
export interface TokenProblem {
  readonly index: number;
  readonly message: string;
  readonly hint: string;
}

/**
 * The arguments of a tool's command with every token filled: `{{ image.reference }}`, and `{{ inputs.NAME }}` with the
 * input's path in the container. Values are never split or interpreted. Throws `tool-token` with every bad token.
 */
export function renderCommand(tool: ToolCommand, values: TokenValues): readonly string[] {
  const problems = tokenProblems(tool);
  const [first] = problems;
  if (first) {
    throw new InvalidInputError(`Cannot fill the command of tool "${tool.id}": ${first.message}`, {
      code: "tool-token",
      hint: first.hint,
      problems: problems.map(({ index, message, hint }) => ({ message, hint, path: `command[${index}]` })),
    });
  }
  return tool.command.map((argument) =>
    argument.replace(tokenPattern, (_, name: string) =>
      name === imageToken ? values.imageReference : (tool.inputs[name.slice(inputPrefix.length)]?.destination ?? ""),
    ),
  );
}

/** Every token of the tool's command that cannot be filled: "Malformed template token" or "Unsupported command token". */
export function tokenProblems(tool: ToolCommand): readonly TokenProblem[] {
  const known = [imageToken, ...Object.keys(tool.inputs).map((name) => `${inputPrefix}${name}`)];
  const hint = `Use ${known.map((name) => `{{ ${name} }}`).join(" or ")}`;
  return tool.command.flatMap((argument, index) => {
    const unknown = [...argument.matchAll(tokenPattern)].flatMap(([, name = ""]) =>
      known.includes(name) ? [] : [name],
    );
    const rest = argument.replace(tokenPattern, "");
    return [
      ...unknown.map((name) => ({ index, message: `Unsupported command token "${name}"`, hint })),
      ...(/\{\{|\}\}/.test(rest)
        ? [{ index, message: `Malformed template token in ${JSON.stringify(argument.slice(0, 120))}`, hint }]
        : []),
    ];
  });
}

const tokenPattern = /\{\{\s*([A-Za-z0-9_.-]+)\s*\}\}/g;
const imageToken = "image.reference";
const inputPrefix = "inputs.";
