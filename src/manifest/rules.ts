import * as v from "valibot";
import { nearest } from "../core/nearest.ts";
import { matchesPlatform, parsePlatform } from "../oci/platform.ts";
import type { ValueProblem } from "./issues.ts";
import { manifestSchema, toolSchema } from "./schema.ts";
import { tokenProblems } from "./tools.ts";

/**
 * The rules that a schema of single fields cannot hold, checked on what of `value` is well-formed by itself, so that
 * they are reported together with other problems: platforms, `type=docker`, tool identifiers, `cli`, and tokens.
 */
export function crossFieldProblems(value: unknown): readonly ValueProblem[] {
  const build = part(manifestSchema.entries.build, value, "build");
  const config = isObject(value) && isObject(value.config) ? value.config : undefined;
  return [
    ...(build === undefined
      ? []
      : platformProblems(build, isObject(value) && isObject(value.build) ? value.build : {})),
    ...(config === undefined ? [] : toolProblems(config)),
  ];
}

type Build = v.InferOutput<typeof manifestSchema.entries.build>;

/** `asked` is the section as written: what is only a default is not held against the rest. */
function platformProblems(build: Build, asked: Readonly<Record<string, unknown>>): readonly ValueProblem[] {
  const problems: ValueProblem[] = [];
  const platforms = build.platforms.map(parsePlatform);
  for (const [index, platform] of platforms.entries()) {
    const earlier = platforms.slice(0, index).findIndex((other) => matchesPlatform(platform, other));
    if (earlier >= 0 && matchesPlatform(platforms[earlier] ?? platform, platform)) {
      const path = ["build", "platforms", index];
      const message = `build.platforms[${index}] is "${build.platforms[index]}", the same platform as "${build.platforms[earlier]}"`;
      problems.push({ path, of: "value", message, hint: "Remove one of them" });
    }
  }
  if (build.targets !== undefined && "platforms" in asked) {
    const message = "build.targets stands beside build.platforms, expected one of them";
    problems.push({ path: ["build", "targets"], of: "key", message, hint: "Remove build.platforms" });
  }
  const count = build.targets?.length ?? build.platforms.length;
  if ("output" in asked && outputType(build.output) === "docker" && count > 1) {
    const message = `build.output is "${build.output}", which holds one platform, expected a type for ${count} platforms`;
    problems.push({ path: ["build", "output"], of: "value", message, hint: "Write type=oci" });
  }
  const climbing = outputFields(build.output).find(
    ([key, text]) => key === "dest" && text.split(/[\\/]/).includes(".."),
  );
  if (climbing) {
    const message = `build.output has dest ${JSON.stringify(climbing[1])}, which leaves the folder of the manifest`;
    problems.push({ path: ["build", "output"], of: "value", message, hint: 'Remove the ".." from dest' });
  }
  return problems;
}

function toolProblems(config: Readonly<Record<string, unknown>>): readonly ValueProblem[] {
  const problems: ValueProblem[] = [];
  const tools = Array.isArray(config.tools) ? config.tools : [];
  const identifiers: string[] = [];
  for (const [index, item] of tools.entries()) {
    const path = ["config", "tools", index];
    const id: unknown = isObject(item) ? item.id : undefined;
    if (typeof id === "string") {
      if (identifiers.includes(id)) {
        const message = `config.tools[${index}].id is "${id}", which an earlier tool has`;
        problems.push({ path: [...path, "id"], of: "value", message, hint: "Give every tool an id of its own" });
      }
      identifiers.push(id);
    }
    const tool = v.safeParse(toolSchema, item);
    if (!tool.success) continue;
    for (const problem of tokenProblems(tool.output)) {
      const at = [...path, "command", problem.index];
      problems.push({
        path: at,
        of: "value",
        message: `config.tools[${index}]: ${problem.message}`,
        hint: problem.hint,
      });
    }
  }
  const cli = isObject(config.cli) ? Object.entries(config.cli) : [];
  for (const [command, target] of cli) {
    if (typeof target !== "string" || identifiers.includes(target)) continue;
    const near = nearest(target, identifiers);
    const hint = near === undefined ? "Add such a tool to config.tools" : `Write "${near}"`;
    const message = `config.cli.${command} is "${target}", which is the id of no tool`;
    problems.push({ path: ["config", "cli", command], of: "value", message, hint });
  }
  return problems;
}

/** The type in an output of buildx, as `docker` of `type=docker`; undefined where the text is a bare path. */
function outputType(output: string): string | undefined {
  return outputFields(output).find(([key]) => key === "type")?.[1];
}

function outputFields(output: string): readonly (readonly [key: string, value: string])[] {
  if (!output.includes("=")) return [["dest", output]];
  return output.split(",").map((field) => {
    const cut = field.replace(/^"|"$/g, "");
    const at = cut.indexOf("=");
    return at < 0 ? [cut.trim().toLowerCase(), ""] : [cut.slice(0, at).trim().toLowerCase(), cut.slice(at + 1)];
  });
}

function part<S extends v.GenericSchema>(schema: S, value: unknown, key: string): v.InferOutput<S> | undefined {
  const result = v.safeParse(schema, isObject(value) ? value[key] : undefined);
  return result.success ? result.output : undefined;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
