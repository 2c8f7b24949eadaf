import * as v from "valibot";
import { flagSchema } from "../../operations/input-schema.ts";
import { defineCommand } from "../command.ts";

export const build = defineCommand({
  name: "build",
  summary: "Build the image of a manifest with buildx, into a layout beside it",
  description:
    "Runs docker buildx, or a standalone buildx, and keeps the result as an OCI layout with provenance, tagged as the manifest says; .library/build.json tells what became of it. What follows -- is for buildx, as far as the manifest and its policy leave it open.",
  options: {
    manifest: {
      kind: "value",
      short: "m",
      placeholder: "FILE",
      description: "Library manifest",
      default: ".library.manifest.yaml",
    },
    layout: { kind: "value", placeholder: "DIR", description: "Another layout", default: ".library/layout" },
    dryRun: { kind: "flag", description: "Print the commands, run and write nothing" },
  },
  passthrough: true,
  digest: (report) => report.image?.digest,
  examples: ["library build", "library build -m service/.library.manifest.yaml -- --build-arg VERSION=1.2 --no-cache"],
  input: v.strictObject({
    manifest: v.optional(v.pipe(v.string(), v.minLength(1, "expected a file"))),
    layout: v.optional(v.pipe(v.string(), v.minLength(1, "expected a folder"))),
    dryRun: flagSchema,
    passthrough: v.optional(v.array(v.string())),
  }),
  run: () => import("../../operations/build.ts").then((module) => module.build),
  text: (report) => (report.image ? [report.image.reference, ...report.tags] : report.commands).join("\n"),
});
