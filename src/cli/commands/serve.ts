import * as v from "valibot";
import { flagSchema } from "../../operations/input-schema.ts";
import { defineCommand } from "../command.ts";

const addressSchema = v.pipe(
  v.string(),
  v.regex(/^(?:(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+)?:)?[0-9]{1,5}$/, 'expected HOST:PORT, as "127.0.0.1:5000"'),
  v.transform((text) => {
    const colon = text.lastIndexOf(":");
    const hostname = text.slice(0, Math.max(0, colon)).replace(/^\[|\]$/g, "");
    return { hostname: hostname === "" ? "127.0.0.1" : hostname, port: Number(text.slice(colon + 1)) };
  }),
  v.check(({ port }) => port < 65_536, "expected a port below 65536"),
);

export const serve = defineCommand({
  name: "serve",
  summary: "Serve a folder of OCI layouts as a registry until it is interrupted",
  description:
    "Each repository is a plain OCI layout below the root folder, so that other tools can read it and layouts that are " +
    "there are served as they lie. Deleted manifests leave their blobs: there is no garbage collection yet. With --debug " +
    "each request is told.",
  options: {
    root: { kind: "value", placeholder: "DIR", description: "Folder with one layout a repository; made if missing" },
    address: {
      kind: "value",
      placeholder: "[HOST:]PORT",
      description: "Where to listen: on 127.0.0.1 unless a host is given; port 0 takes a free one",
      default: "127.0.0.1:5000",
    },
    readOnly: { kind: "flag", description: "Refuse every request that would change something" },
    htpasswd: { kind: "value", placeholder: "FILE", description: "Let in only the users of this file (bcrypt)" },
    tlsCert: { kind: "value", placeholder: "FILE", description: "Certificate chain in PEM; needs --tls-key" },
    tlsKey: { kind: "value", placeholder: "FILE", description: "Private key in PEM; needs --tls-cert" },
    addressFile: { kind: "value", placeholder: "FILE", description: "Write the URL to this file once it listens" },
  },
  examples: [
    "library serve --root ./registry",
    "library serve --root ./registry --address 127.0.0.1:0 --address-file ./address --read-only",
  ],
  input: v.strictObject({
    root: v.pipe(v.string(), v.minLength(1, "expected a folder")),
    address: v.optional(addressSchema, "127.0.0.1:5000"),
    readOnly: flagSchema,
    htpasswd: v.optional(v.string()),
    tlsCert: v.optional(v.string()),
    tlsKey: v.optional(v.string()),
    addressFile: v.optional(v.string()),
  }),
  run: () => import("../../operations/serve.ts").then((module) => module.serve),
  text: (report) => `Stopped serving ${report.root} at ${report.url}`,
});
