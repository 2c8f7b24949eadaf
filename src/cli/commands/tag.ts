import * as v from "valibot";
import { flagSchema, referenceSchema } from "../../operations/input-schema.ts";
import { defineCommand } from "../command.ts";
import { referenceArgument } from "../shared-options.ts";

export const tag = defineCommand({
  name: "tag",
  summary: "Give further tags to an image in its place",
  arguments: {
    source: referenceArgument,
    tags: { kind: "required-list", placeholder: "TAG", description: "The tag alone, without the repository" },
  },
  options: { force: { kind: "flag", short: "f", description: "Move a tag that points elsewhere" } },
  network: true,
  digest: (report) => report.digest,
  examples: ["library tag registry.example.org/team/app:1.2.3 1.2 latest", "library tag --force oci:dist:1.2.3 latest"],
  input: v.strictObject({ source: referenceSchema, tags: v.array(v.string()), force: flagSchema }),
  run: () => import("../../operations/tag.ts").then((module) => module.tag),
  text: (report, style) =>
    report.tags
      .map(({ tag, before }) => {
        if (before === report.digest) return `${tag} ${style.dim("already")} ${report.digest}`;
        return `${tag} ${report.digest}${before === undefined ? "" : style.dim(` (was ${before})`)}`;
      })
      .join("\n"),
});
