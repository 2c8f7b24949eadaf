import * as v from "valibot";
import { defineCommand } from "../command.ts";

export const logout = defineCommand({
  name: "logout",
  summary: "Remove the kept credentials of a registry",
  arguments: { registry: { kind: "required", placeholder: "REGISTRY", description: "host[:port]" } },
  network: "asking",
  examples: ["library logout registry.example.org", "library logout --authfile auth.json localhost:5000"],
  input: v.strictObject({ registry: v.string() }),
  run: () => import("../../operations/login.ts").then((module) => module.logout),
  text: (report) =>
    [
      report.erased ? `logged out of ${report.registry}` : `no credentials were kept for ${report.registry}`,
      ...report.remaining.map((name) => `still there: ${name}`),
    ].join("\n"),
});
