import * as v from "valibot";
import { platformsSchema, referenceSchema } from "../../operations/input-schema.ts";
import { defineCommand } from "../command.ts";
import { referenceArgument, sharedOptions } from "../shared-options.ts";

export const resolve = defineCommand({
  name: "resolve",
  aliases: ["digest"],
  summary: "Print the digest that a reference names now",
  arguments: { reference: referenceArgument },
  options: { platform: sharedOptions.onePlatform },
  network: true,
  digest: (report) => report.digest,
  examples: [
    "library resolve registry.example.org/team/app:1.2",
    "library resolve --platform linux/arm64 oci:dist:1.2",
  ],
  input: v.strictObject({ reference: referenceSchema, platform: platformsSchema }),
  run: () => import("../../operations/resolve.ts").then((module) => module.resolve),
  text: (report) => report.digest,
});
