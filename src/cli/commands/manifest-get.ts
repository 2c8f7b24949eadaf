import * as v from "valibot";
import { platformsSchema, referenceSchema } from "../../operations/input-schema.ts";
import { defineCommand } from "../command.ts";
import { referenceArgument, sharedOptions } from "../shared-options.ts";

export const manifestGet = defineCommand({
  name: "manifest get",
  summary: "Fetch a manifest's bytes and check them",
  arguments: { reference: referenceArgument },
  options: { output: sharedOptions.output, platform: sharedOptions.onePlatform },
  network: true,
  digest: (report) => report.digest,
  examples: [
    "library manifest get registry.example.org/team/app:1.2",
    "library manifest get -o manifest.json --platform linux/amd64 oci:dist:1.2",
  ],
  input: v.strictObject({
    reference: referenceSchema,
    output: v.optional(v.string(), "-"),
    platform: platformsSchema,
  }),
  raw: (input) => input.output === "-",
  run: () => import("../../operations/manifest.ts").then((module) => module.manifestGet),
  text: (report) => report.digest,
});
