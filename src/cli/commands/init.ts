import * as v from "valibot";
import { flagSchema } from "../../operations/input-schema.ts";
import { defineCommand } from "../command.ts";

export const init = defineCommand({
  name: "init",
  summary: "Write a new library manifest",
  description:
    "Asks on a terminal for what --from and --set leave open, and proposes what git and the folder say. Elsewhere every " +
    "required key must be given, or --yes takes the proposals. Nothing is written unless the manifest is valid.",
  options: {
    output: {
      kind: "value",
      short: "o",
      placeholder: "FILE",
      description: "Write to this file",
      default: ".library.manifest.yaml",
    },
    from: {
      kind: "value",
      placeholder: "FILE",
      description: "Take values from this manifest, YAML or JSON, whole or in part",
    },
    set: {
      kind: "values",
      placeholder: "KEY=VALUE",
      description: "Set one value, as registry.host=registry.example.org",
    },
    yes: { kind: "flag", short: "y", description: "Take the proposals and ask nothing" },
    force: { kind: "flag", short: "f", description: "Replace a file that exists" },
  },
  examples: [
    "library init",
    "library init --yes --set registry.host=registry.example.org --set build.tags=[1.0,latest]",
    "library init --from ../viewer/.library.manifest.yaml --set registry.image=editor",
  ],
  input: v.strictObject({
    output: v.optional(v.string(), ".library.manifest.yaml"),
    from: v.optional(v.string()),
    set: v.optional(v.array(v.string()), []),
    yes: flagSchema,
    force: flagSchema,
  }),
  run: () => import("../../operations/init.ts").then((module) => module.init),
  text: (report, style) =>
    report.written
      ? [`${style.green("wrote")} ${report.file}`, ...report.references.map((name) => `  ${name}`)].join("\n")
      : `${report.file} is unchanged`,
});
