import * as v from "valibot";
import { flagSchema, locationSchema } from "../../operations/input-schema.ts";
import { defineCommand } from "../command.ts";
import { locationArgument } from "../shared-options.ts";

export const tags = defineCommand({
  name: "tags",
  aliases: ["ls"],
  summary: "List the tags of a repository, a layout or an archive",
  arguments: { location: locationArgument },
  options: {
    all: {
      kind: "flag",
      description: "Also list the tags that only carry signatures and referrers, and what has no tag",
    },
    limit: { kind: "value", placeholder: "N", description: "List at most this many" },
  },
  network: true,
  examples: ["library tags registry.example.org/team/app", "library tags --limit 20 oci:dist"],
  input: v.strictObject({
    location: locationSchema,
    all: flagSchema,
    limit: v.optional(
      v.pipe(v.string(), v.regex(/^[1-9][0-9]{0,6}$/, "expected a whole number from 1"), v.transform(Number)),
    ),
  }),
  run: () => import("../../operations/tags.ts").then((module) => module.tags),
  text: (report, style) =>
    [
      ...report.tags,
      ...(report.untagged ?? []).map((digest) => `@${digest}`),
      ...(report.more ? [style.dim("…")] : []),
    ].join("\n"),
});
