import * as v from "valibot";
import { locationSchema } from "../../operations/input-schema.ts";
import { defineCommand } from "../command.ts";
import { locationArgument } from "../shared-options.ts";

export const blobPut = defineCommand({
  name: "blob put",
  summary: "Put a file into a place as a blob and print its digest",
  arguments: {
    location: locationArgument,
    file: { kind: "required", placeholder: "FILE", description: 'A file; "-" is standard input' },
  },
  network: true,
  digest: (report) => report.digest,
  examples: ["library blob put registry.example.org/app layer.tar.gz", "library blob put oci:dist -"],
  input: v.strictObject({ location: locationSchema, file: v.string() }),
  run: () => import("../../operations/blob.ts").then((module) => module.blobPut),
  text: (report) => report.digest,
});
