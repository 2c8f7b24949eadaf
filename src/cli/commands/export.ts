import * as v from "valibot";
import { flagSchema, platformsSchema, referenceSchema, referrersSchema } from "../../operations/input-schema.ts";
import { defineCommand } from "../command.ts";
import { referenceArgument, sharedOptions } from "../shared-options.ts";

export const exportImage = defineCommand({
  name: "export",
  summary: "Write an image into a layout of its own, at the path that buildpacks platforms expect",
  description:
    "The layout is DIR/registry/repository/tag, or DIR/registry/repository/sha256/hex for a digest. LIBRARY_LAYOUT_DIR or CNB_LAYOUT_DIR stand in for --layout-dir.",
  arguments: { reference: referenceArgument },
  options: {
    layoutDir: { kind: "value", placeholder: "DIR", description: "The folder below which layouts get their places" },
    sparse: { kind: "flag", description: "Leave the layers out" },
    platform: sharedOptions.platform,
    referrers: sharedOptions.referrers,
  },
  network: true,
  digest: (report) => report.digest,
  examples: [
    "library export --layout-dir layouts registry.example.org/team/app:1.2",
    "library export --layout-dir layouts --sparse --platform linux/amd64 registry.example.org/team/app:1.2",
  ],
  input: v.strictObject({
    reference: referenceSchema,
    layoutDir: v.optional(v.pipe(v.string(), v.minLength(1, "expected a folder"))),
    sparse: flagSchema,
    platform: platformsSchema,
    referrers: referrersSchema,
  }),
  run: () => import("../../operations/export.ts").then((module) => module.exportImage),
  text: (report) => report.reference,
});
