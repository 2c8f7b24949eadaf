import * as v from "valibot";
import { flagSchema, platformsSchema, referenceSchema } from "../../operations/input-schema.ts";
import { defineCommand } from "../command.ts";
import { inspectText } from "../output/inspect-text.ts";
import { referenceArgument, sharedOptions } from "../shared-options.ts";

export const inspect = defineCommand({
  name: "inspect",
  summary: "Show what a reference names: platforms, sizes, layers, labels and annotations",
  arguments: { reference: referenceArgument },
  options: {
    raw: { kind: "flag", description: "Print the manifest's bytes exactly as they are stored" },
    config: { kind: "flag", description: "Print the image's configuration exactly as it is stored" },
    platform: sharedOptions.onePlatform,
  },
  network: true,
  examples: [
    "library inspect registry.example.org/team/app:1.2",
    "library inspect --config --platform linux/amd64 oci:dist:1.2",
  ],
  input: v.pipe(
    v.strictObject({ reference: referenceSchema, raw: flagSchema, config: flagSchema, platform: platformsSchema }),
    v.check(({ raw, config }) => !(raw && config), "--raw and --config exclude each other"),
  ),
  raw: (input) => input.raw || input.config,
  run: () => import("../../operations/inspect.ts").then((module) => module.inspect),
  text: inspectText,
});
