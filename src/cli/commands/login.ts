import * as v from "valibot";
import { flagSchema } from "../../operations/input-schema.ts";
import { defineCommand } from "../command.ts";

export const login = defineCommand({
  name: "login",
  summary: "Check credentials at a registry and keep them for later commands",
  description:
    "They are kept in the credential helper that Docker's config.json names, else in that file, unencrypted and with a warning. Without flags, user name and password are asked for on the terminal.",
  arguments: { registry: { kind: "required", placeholder: "REGISTRY", description: "host[:port]" } },
  options: {
    username: { kind: "value", short: "u", placeholder: "NAME", description: "The user name" },
    passwordStdin: { kind: "flag", description: "Read the password from standard input" },
    identityTokenStdin: { kind: "flag", description: "Read an OAuth2 refresh token from standard input" },
  },
  network: "asking",
  examples: [
    "library login registry.example.org",
    "library login --username ci --password-stdin registry.example.org < password.txt",
  ],
  input: v.pipe(
    v.strictObject({
      registry: v.string(),
      username: v.optional(v.string()),
      passwordStdin: flagSchema,
      identityTokenStdin: flagSchema,
    }),
    v.check(
      (input) => !(input.passwordStdin && input.identityTokenStdin),
      "--password-stdin and --identity-token-stdin exclude each other",
    ),
  ),
  run: () => import("../../operations/login.ts").then((module) => module.login),
  text: (report) => `logged in to ${report.registry}; kept in ${report.where}`,
});
