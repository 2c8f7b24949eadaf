import * as v from "valibot";
import { defineCommand } from "../command.ts";

export const ping = defineCommand({
  name: "ping",
  summary: "Ask a registry whether it is there, how it authenticates and how it lists referrers",
  arguments: {
    registry: {
      kind: "required",
      placeholder: "REGISTRY[/REPOSITORY]",
      description: "host[:port], or a repository of it",
    },
  },
  network: "asking",
  examples: ["library ping registry.example.org", "library ping --json localhost:5000/team/app"],
  input: v.strictObject({ registry: v.string() }),
  run: () => import("../../operations/ping.ts").then((module) => module.ping),
  text: (report) =>
    [
      `${report.registry} answers at ${report.url} with status ${report.httpStatus}`,
      `authentication: ${report.authentication}${report.authenticated ? "" : " (not authenticated)"}`,
      `referrers:      ${report.referrers}`,
      ...(report.apiVersion === undefined ? [] : [`api version:    ${report.apiVersion}`]),
    ].join("\n"),
});
