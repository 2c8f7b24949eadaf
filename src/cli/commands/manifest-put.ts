import * as v from "valibot";
import { explicitReferenceSchema } from "../../operations/input-schema.ts";
import { defineCommand } from "../command.ts";

export const manifestPut = defineCommand({
  name: "manifest put",
  summary: "Put a manifest's bytes, unchanged, into a place",
  arguments: {
    reference: {
      kind: "required",
      placeholder: "REF",
      description: "With a tag, or without one to put it by its digest alone",
    },
    file: { kind: "required", placeholder: "FILE", description: 'A file; "-" is standard input' },
  },
  options: {
    mediaType: {
      kind: "value",
      placeholder: "TYPE",
      description: "The manifest's type",
      default: "what the manifest says of itself",
    },
  },
  network: true,
  digest: (report) => report.digest,
  examples: [
    "library manifest put registry.example.org/team/app:1.2 manifest.json",
    "library manifest put --media-type application/vnd.oci.image.index.v1+json oci:dist:1.2 index.json",
  ],
  input: v.strictObject({
    reference: explicitReferenceSchema,
    file: v.string(),
    mediaType: v.optional(v.string()),
  }),
  run: () => import("../../operations/manifest.ts").then((module) => module.manifestPut),
  text: (report) => report.digest,
});
