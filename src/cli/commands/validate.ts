import * as v from "valibot";
import { manifestName, manifestNameSchema } from "../../operations/manifest-name.ts";
import { defineCommand } from "../command.ts";

export const validate = defineCommand({
  name: "validate",
  summary: "Check a library manifest and the files that it names",
  description: "Reports every problem at once, each with its line and column; exit status 2 where there is one.",
  arguments: {
    file: { kind: "optional", placeholder: "MANIFEST", description: "Library manifest or its folder, as with -m" },
  },
  options: {
    manifest: {
      kind: "value",
      short: "m",
      placeholder: "FILE",
      description: "Library manifest or its folder",
      default: ".library.manifest.yaml",
    },
  },
  examples: ["library validate", "library validate --json services/viewer/.library.manifest.yaml"],
  input: v.pipe(
    v.strictObject({ file: manifestNameSchema, manifest: manifestNameSchema }),
    v.transform(({ file, manifest }) => ({ manifest: manifestName(file, manifest) })),
  ),
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
