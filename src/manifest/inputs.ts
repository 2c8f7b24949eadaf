import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { InvalidInputError, type Problem } from "../core/error.ts";
import type { OpenedManifest } from "./open.ts";
import { formatPath } from "./path.ts";
import type { Tool } from "./schema.ts";

/** A file that a tool reads, mounted into its container. */
export interface ToolInput {
  readonly name: string;
  /** Absolute path; undefined for what the program brings itself (a tool's default configuration). */
  readonly file: string | undefined;
  /** Absolute path in the container. */
  readonly destination: string;
}

/** What of an opened manifest the inputs of its tools are resolved by. */
export type InputPlace = Pick<OpenedManifest, "directory" | "dockerfilePath" | "value" | "at" | "file">;

/**
 * The inputs of one tool: a `dockerfile` input with source `default` is the manifest's Dockerfile, other relative
 * sources count from the manifest's folder. Throws `invalid-manifest-file` with every one that is no file.
 */
export async function toolInputs(manifest: InputPlace, tool: Tool): Promise<readonly ToolInput[]> {
  const problems = await inputProblems(manifest, tool);
  const [first] = problems;
  if (first) {
    const message = `Cannot use tool "${tool.id}": ${first.message}`;
    throw new InvalidInputError(message, { code: "invalid-manifest-file", problems, hint: first.hint });
  }
  return resolveInputs(manifest, tool);
}

/** Every input of the tool that is not there, with its place in the manifest. */
export async function inputProblems(manifest: InputPlace, tool: Tool): Promise<readonly Problem[]> {
  const index = manifest.value.config.tools.findIndex(({ id }) => id === tool.id);
  const problems: Problem[] = [];
  for (const { name, file } of resolveInputs(manifest, tool)) {
    if (file === undefined || (await isFile(file))) continue;
    const path = ["config", "tools", index, "inputs", name, "source"];
    const source = tool.inputs[name]?.source ?? "default";
    const what = source === "default" ? "the Dockerfile" : JSON.stringify(source);
    const message = `${formatPath(path)} is ${what}, which is no file`;
    problems.push({
      ...manifest.at(path),
      path: formatPath(path),
      message,
      hint: `Make ${file}, or name another file`,
    });
  }
  return problems;
}

function resolveInputs({ directory, dockerfilePath }: InputPlace, tool: Tool): readonly ToolInput[] {
  return Object.entries(tool.inputs).map(([name, { source, destination }]) => {
    const ours = name === "dockerfile" ? dockerfilePath : undefined;
    return { name, destination, file: source === "default" ? ours : resolve(directory, source) };
  });
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch {
    // Whatever the reason, the tool could not read it either
    return false;
  }
}
