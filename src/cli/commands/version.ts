import * as v from "valibot";
import packageFile from "../../../package.json" with { type: "json" };
import type { Report } from "../../core/report.ts";
import { runtimeFacts } from "../../runtime/machine.ts";
import { defineCommand } from "../command.ts";

interface VersionReport extends Report {
  readonly version: string;
  /** `bun 1.4.5`. */
  readonly runtime: string;
  readonly os: string;
  readonly architecture: string;
}

/** `library version`: also which runtime executes it, on what machine. */
export const version = defineCommand({
  name: "version",
  summary: "Show the version of this program",
  examples: ["library version", "library version --json"],
  input: v.strictObject({}),
  run: async () => async (): Promise<VersionReport> => ({
    status: "ok",
    version: packageFile.version,
    ...runtimeFacts(),
  }),
  text: (report) => `library ${report.version} (${report.runtime}, ${report.os}/${report.architecture})`,
});
