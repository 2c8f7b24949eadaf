import * as v from "valibot";
import { flagSchema } from "../../operations/input-schema.ts";
import { manifestName, manifestNameSchema } from "../../operations/manifest-name.ts";
import { defineCommand } from "../command.ts";

export const pushImage = defineCommand({
  name: "push image",
  summary: "Push what build or append made of a manifest to all its tags",
  description:
    "Refuses where build.json says that there is nothing to push: no build, one that failed, or one that is older than the manifest.",
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
    layout: { kind: "value", placeholder: "DIR", description: "Layout that holds the image", default: "as built" },
    tag: {
      kind: "values",
      short: "t",
      placeholder: "TAG|REF",
      description: "Push this name instead of the manifest's",
    },
    dryRun: { kind: "flag", description: "Print what would be pushed, push nothing" },
  },
  network: true,
  digest: (report) => report.digest,
  examples: ["library push image", "library push image service/.library.manifest.yaml --tag 1.2 --tag latest"],
  input: v.pipe(
    v.strictObject({
      file: manifestNameSchema,
      manifest: manifestNameSchema,
      layout: v.optional(v.pipe(v.string(), v.minLength(1, "expected a folder"))),
      tag: v.optional(v.array(v.string()), []),
      dryRun: flagSchema,
    }),
    v.transform(({ file, manifest, ...rest }) => ({ ...rest, manifest: manifestName(file, manifest) })),
  ),
  run: () => import("../../operations/push-image.ts").then((module) => module.pushImage),
  text: (report, style) =>
    [
      ...report.tags.map(({ reference, digest, status, error }) =>
        error ? `${style.red(status)} ${reference}: ${error.message}` : `${status} ${reference}@${digest}`,
      ),
      ...(report.resume ? [`go on with: ${report.resume}`] : []),
    ].join("\n"),
});
