import * as v from "valibot";
import { platformsSchema, referenceSchema, referrersSchema } from "../../operations/input-schema.ts";
import { defineCommand } from "../command.ts";
import { copyText } from "../output/copy-text.ts";
import { referenceArgument, sharedOptions } from "../shared-options.ts";

export const pull = defineCommand({
  name: "pull",
  summary: "Fetch an image into an OCI layout and verify every byte of it",
  arguments: { reference: referenceArgument },
  options: {
    output: {
      kind: "value",
      short: "o",
      placeholder: "DIR",
      description: "The layout's folder",
      default: "the last part of the repository",
    },
    platform: sharedOptions.platform,
    referrers: sharedOptions.referrers,
  },
  network: true,
  digest: (report) => report.images[0]?.digest,
  examples: [
    "library pull registry.example.org/team/app:1.2",
    "library pull --platform linux/arm64 -o ./app registry.example.org/team/app:1.2",
  ],
  input: v.strictObject({
    reference: referenceSchema,
    output: v.optional(v.pipe(v.string(), v.minLength(1, "expected a folder"))),
    platform: platformsSchema,
    referrers: referrersSchema,
  }),
  run: () => import("../../operations/pull.ts").then((module) => module.pull),
  text: copyText,
});
