import * as v from "valibot";
import { explicitReferenceSchema, flagSchema } from "../../operations/input-schema.ts";
import { defineCommand } from "../command.ts";

export const deleteReference = defineCommand({
  name: "delete",
  aliases: ["rm"],
  summary: "Delete one tag, or a manifest with all its tags",
  description:
    "REF:tag deletes the tag alone and leaves the image and its other tags; REF@digest deletes the manifest, and says which tags go with it. The blobs stay: there is no garbage collection yet.",
  arguments: {
    reference: { kind: "required", placeholder: "REF", description: "With a tag or a digest: nothing is implied" },
  },
  options: {
    dryRun: { kind: "flag", description: "Only say what would go" },
    yes: { kind: "flag", short: "y", description: "Do not ask" },
  },
  network: true,
  examples: [
    "library delete --yes registry.example.org/team/app:old",
    `library delete --dry-run registry.example.org/team/app@sha256:${"0123456789abcdef".repeat(4)}`,
  ],
  input: v.strictObject({ reference: explicitReferenceSchema, dryRun: flagSchema, yes: flagSchema }),
  run: () => import("../../operations/delete.ts").then((module) => module.deleteReference),
  text: (report) => {
    const verb = report.deleted ? "deleted" : report.status === "no" ? "not deleted:" : "would delete";
    const isTag = !report.reference.includes("@");
    const tags = isTag || report.tags.length === 0 ? "" : ` with tags ${report.tags.join(", ")}`;
    return `${verb} ${isTag ? "the tag " : ""}${report.reference}${isTag ? ` (${report.digest})` : tags}`;
  },
});
