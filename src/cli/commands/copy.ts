import * as v from "valibot";
import {
  explicitReferenceSchema,
  flagSchema,
  platformsSchema,
  referenceSchema,
  referrersSchema,
} from "../../operations/input-schema.ts";
import { defineCommand } from "../command.ts";
import { copyText } from "../output/copy-text.ts";
import { referenceArgument, sharedOptions } from "../shared-options.ts";

export const copy = defineCommand({
  name: "copy",
  aliases: ["cp"],
  summary: "Copy an image with everything that refers to it, between any two places",
  description:
    "Registries, OCI layouts and archives, in any direction; the digest stays the same unless several platforms are chosen. A destination without a tag takes the tag of the source.",
  arguments: {
    source: referenceArgument,
    destination: { kind: "required", placeholder: "DESTINATION", description: "Written like the source" },
  },
  options: {
    tag: { kind: "values", placeholder: "TAG", description: "A further tag at the destination" },
    allTags: { kind: "flag", description: "Copy everything that has a tag; name neither tag nor digest then" },
    platform: sharedOptions.platform,
    referrers: sharedOptions.referrers,
    trustExisting: { kind: "flag", description: "Take a manifest found at the destination to be whole" },
    force: { kind: "flag", short: "f", description: "Replace an archive that is there" },
    allowMissing: { kind: "flag", description: "Leave out members of an index that the source lacks" },
  },
  network: true,
  digest: (report) => (report.images.length === 1 ? report.images[0]?.digest : undefined),
  examples: [
    "library copy registry.example.org/app:1.2 oci-archive:app.tar:1.2",
    "library copy --platform linux/amd64 oci:dist:1.2 registry.example.org/app:1.2",
  ],
  input: v.pipe(
    v.strictObject({
      source: v.string(),
      destination: explicitReferenceSchema,
      tag: v.optional(v.array(v.string()), []),
      allTags: flagSchema,
      platform: platformsSchema,
      referrers: referrersSchema,
      trustExisting: flagSchema,
      force: flagSchema,
      allowMissing: flagSchema,
    }),
    // With --all-tags no tag is implied
    v.transform((input) => ({
      ...input,
      source: v.parse(input.allTags ? explicitReferenceSchema : referenceSchema, input.source),
    })),
  ),
  run: () => import("../../operations/copy.ts").then((module) => module.copy),
  text: copyText,
});
