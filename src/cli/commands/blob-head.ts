import * as v from "valibot";
import { explicitReferenceSchema } from "../../operations/input-schema.ts";
import { type ArgumentSpec, defineCommand } from "../command.ts";

/** A blob by its digest. */
export const blobArgument: ArgumentSpec = {
  kind: "required",
  placeholder: "PLACE@DIGEST",
  description: "A blob of host/repository, oci:DIR or oci-archive:FILE",
};

export const blobHead = defineCommand({
  name: "blob head",
  summary: "Say whether a blob is there and how large it is",
  arguments: { reference: blobArgument },
  network: true,
  examples: [
    `library blob head registry.example.org/app@sha256:${"0123456789abcdef".repeat(4)}`,
    `library blob head --json oci:dist@sha256:${"0123456789abcdef".repeat(4)}`,
  ],
  input: v.strictObject({ reference: explicitReferenceSchema }),
  run: () => import("../../operations/blob.ts").then((module) => module.blobHead),
  text: (report) => `${report.digest} ${report.size}`,
});
