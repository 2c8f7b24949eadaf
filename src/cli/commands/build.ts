import * as v from "valibot";
import { flagSchema } from "../../operations/input-schema.ts";
import { manifestName, manifestNameSchema } from "../../operations/manifest-name.ts";
import { defineCommand } from "../command.ts";

export const build = defineCommand({
  name: "build",
  summary: "Build the image of a manifest with buildx, into a layout beside it",
  description:
    "Runs docker buildx, or a standalone buildx, and keeps the result as an OCI layout with provenance, tagged as the manifest says; .library/build.json tells what became of it. What follows -- is for buildx, as far as the manifest and its policy leave it open.",
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
    layout: { kind: "value", placeholder: "DIR", description: "Another layout", default: ".library/layout" },
    dryRun: { kind: "flag", description: "Print the commands, run and write nothing" },
  },
  passthrough: true,
  digest: (report) => report.image?.digest,
  examples: ["library build", "library build service -- --build-arg VERSION=1.2 --no-cache"],
  input: v.pipe(
    v.strictObject({
      file: manifestNameSchema,
      manifest: manifestNameSchema,
      layout: v.optional(v.pipe(v.string(), v.minLength(1, "expected a folder"))),
      dryRun: flagSchema,
      passthrough: v.optional(v.array(v.string())),
    }),
    v.transform(({ file, manifest, ...rest }) => ({ ...rest, manifest: manifestName(file, manifest) })),
  ),
  run: () => import("../../operations/build.ts").then((module) => module.build),
  text: (report) => (report.image ? [report.image.reference, ...report.tags] : report.commands).join("\n"),
});
