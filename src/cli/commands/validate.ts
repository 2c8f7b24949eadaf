import * as v from "valibot";
import { defineCommand } from "../command.ts";

export const validate = defineCommand({
  name: "validate",
  summary: "Check a library manifest and the files that it names",
  description: "Reports every problem at once, each with its line and column; exit status 2 where there is one.",
  arguments: {
    manifest: {
      kind: "optional",
      placeholder: "MANIFEST",
      description: "The manifest; .library.manifest.yaml by default",
    },
  },
  examples: ["library validate", "library validate --json services/viewer/.library.manifest.yaml"],
  input: v.strictObject({ manifest: v.optional(v.string()) }),
  run: () => import("../../operations/validate.ts").then((module) => module.validate),
  text: (report, style) =>
    [
      `${style.green("valid")} ${report.file}: ${style.bold(report.title)} ${report.version}`,
      ...report.references.map((name) => `  ${name}`),
      `  ${report.platforms.join(", ")}`,
      ...report.warnings.map(({ line, column, message, hint }) =>
        [
          `${style.yellow("warning")} ${report.file}:${line ?? 1}:${column ?? 1}: ${message}`,
          ...(hint === undefined ? [] : [style.dim(`  ${hint}`)]),
        ].join("\n"),
      ),
    ].join("\n"),
});
