import * as v from "valibot";
import { explicitReferenceSchema } from "../../operations/input-schema.ts";
import { defineCommand } from "../command.ts";
import { sharedOptions } from "../shared-options.ts";
import { blobArgument } from "./blob-head.ts";

export const blobGet = defineCommand({
  name: "blob get",
  summary: "Fetch one blob and check it",
  arguments: { reference: blobArgument },
  options: { output: sharedOptions.output },
  network: true,
  examples: [
    `library blob get -o layer.tar.gz registry.example.org/app@sha256:${"0123456789abcdef".repeat(4)}`,
    `library blob get oci:dist@sha256:${"0123456789abcdef".repeat(4)}`,
  ],
  input: v.strictObject({ reference: explicitReferenceSchema, output: v.optional(v.string(), "-") }),
  raw: (input) => input.output === "-",
  run: () => import("../../operations/blob.ts").then((module) => module.blobGet),
  text: (report) => `${report.digest} ${report.size}`,
});
