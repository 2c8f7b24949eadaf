import * as v from "valibot";
import { referenceSchema } from "../../operations/input-schema.ts";
import { defineCommand } from "../command.ts";
import { referenceArgument } from "../shared-options.ts";

export const manifestHead = defineCommand({
  name: "manifest head",
  summary: "Say whether a manifest is there, its digest, type and size",
  arguments: { reference: referenceArgument },
  network: true,
  digest: (report) => report.digest,
  examples: ["library manifest head registry.example.org/team/app:1.2", "library manifest head --json oci:dist:1.2"],
  input: v.strictObject({ reference: referenceSchema }),
  run: () => import("../../operations/manifest.ts").then((module) => module.manifestHead),
  text: (report) => `${report.digest} ${report.size} ${report.mediaType}`,
});
