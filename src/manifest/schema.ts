import * as v from "valibot";
import {
  buildTag,
  day,
  description,
  digest,
  emailAddress,
  expectation,
  imageReference,
  licenseExpression,
  lineOfText,
  location,
  moment,
  platform,
  registryHost,
  repositoryPart,
  webUrl,
} from "./fields.ts";

const said = v.description;

const registrySchema = v.strictObject({
  host: v.pipe(registryHost, said("Registry, as registry.example.org or localhost:5000")),
  project: v.pipe(repositoryPart, said("Project or group at the registry")),
  image: v.pipe(repositoryPart, said("Name of the image within the project")),
});

const targetSchema = v.strictObject({
  os: v.pipe(v.string(), v.regex(/^[a-z0-9]+$/, expectation("an operating system", 'Write it as "linux"'))),
  arch: v.pipe(v.string(), v.regex(/^[a-z0-9]+$/, expectation("an architecture", 'Write it as "amd64"'))),
  variant: v.optional(v.pipe(v.string(), v.regex(/^[a-z0-9.]+$/, expectation("a variant", 'Write it as "v7"')))),
  distros: v.optional(v.array(v.strictObject({ name: lineOfText, version: v.optional(lineOfText) }))),
});

const buildSchema = v.strictObject({
  context: v.optional(v.pipe(lineOfText, said("Folder given to the build, relative to this file")), "."),
  file: v.optional(v.pipe(lineOfText, said("Dockerfile, relative to the context")), "Dockerfile"),
  platforms: v.optional(v.pipe(v.array(platform), v.minLength(1), said("Platforms to build for")), () => [
    "linux/amd64",
  ]),
  tags: v.pipe(
    v.array(buildTag),
    v.minLength(1),
    said("Tags of the image; one with / : or @ in it is a full reference"),
  ),
  output: v.optional(
    v.pipe(lineOfText, said("Where buildx puts the result; written here, it is a demand and not a preference")),
    "type=docker",
  ),
  options: v.optional(
    v.pipe(
      v.string(),
      v.regex(/^(?:\P{Cc}|[\t\n]){0,8192}$/u, expectation("options for buildx")),
      said("More options for buildx, as in a shell"),
    ),
    "",
  ),
  exec_env: v.optional(
    v.pipe(
      v.string(),
      v.regex(
        /^[A-Za-z0-9.-]{1,64}$/,
        expectation("the name of an execution environment", "Use letters, digits, . and -"),
      ),
      said("Execution environment: production, test, development or a name of your own"),
    ),
  ),
  targets: v.optional(
    v.pipe(v.array(targetSchema), v.minLength(1), said("Targets to build for, instead of platforms")),
  ),
  base: v.optional(
    v.pipe(
      v.strictObject({ name: imageReference, digest: v.optional(digest) }),
      said("Image that this one is built on, as its annotations name it"),
    ),
  ),
});

const authorSchema = v.strictObject({
  name: lineOfText,
  email: emailAddress,
  role: v.optional(lineOfText, "maintainer"),
  github: v.nullish(lineOfText, null),
  gitlab: v.nullish(lineOfText, null),
  orcid: v.nullish(lineOfText, null),
  affiliation: v.nullish(lineOfText, null),
});

/** What an image is for, as the science portal sorts them. */
const kinds = ["notebook", "headless", "carta", "firefly", "contributed", "desktop"] as const;

const discoverySchema = v.strictObject({
  title: v.pipe(lineOfText, said("Name of the image for people")),
  description: v.pipe(description, said("What it is, in 1 to 255 characters")),
  source: v.pipe(webUrl, said("URL of the source code")),
  url: v.nullish(v.pipe(webUrl, said("URL of the project")), null),
  documentation: v.nullish(v.pipe(webUrl, said("URL of the documentation")), null),
  version: v.pipe(lineOfText, said("Version of the packaged software")),
  revision: v.optional(v.pipe(lineOfText, said("Revision of the source code")), "unknown"),
  created: v.optional(v.pipe(moment, said("When the image was made; the time of the build if absent"))),
  authors: v.pipe(v.array(authorSchema), said("People to turn to")),
  licenses: v.pipe(licenseExpression, said("SPDX licence expression")),
  keywords: v.pipe(v.array(lineOfText), said("Words to find it by")),
  tools: v.pipe(v.array(lineOfText), said("Software inside that people look for")),
  domain: v.optional(v.pipe(v.array(lineOfText), v.minLength(1), said("Fields of science")), () => ["astronomy"]),
  kind: v.pipe(v.array(v.picklist(kinds)), v.minLength(1), said(`Kinds of session: ${kinds.join(", ")}`)),
  deprecated: v.optional(v.pipe(v.boolean(), said("Whether people should use another image")), false),
  vendor: v.optional(v.pipe(lineOfText, said("Organisation that distributes it"))),
});

const relationSchema = v.strictObject({ reference: imageReference, description: v.optional(description) });

const metadataSchema = v.strictObject({
  discovery: discoverySchema,
  requires: v.optional(v.pipe(v.array(relationSchema), said("Artifacts that this one needs"))),
  provides: v.optional(v.pipe(v.array(relationSchema), said("Artifacts that come with this one"))),
  lifecycle: v.optional(
    v.strictObject({
      eol: v.optional(v.pipe(day, said("Last day of support"))),
      superseded_by: v.optional(v.pipe(imageReference, said("What to use instead"))),
    }),
  ),
});

const identifier = v.pipe(
  v.string(),
  v.regex(
    /^[a-zA-Z0-9][a-zA-Z0-9._-]*$/,
    expectation("an identifier", "Use letters, digits, . _ and -, beginning with a letter or digit"),
  ),
);

const toolInputSchema = v.strictObject({
  source: v.optional(lineOfText, "default"),
  destination: v.optional(
    v.pipe(
      v.string(),
      v.regex(
        /^\/(?!(?:.*\/)?\.\.(?:\/|$))\P{Cc}*$/u,
        expectation("an absolute path in the container", 'Write it as "/config.yaml"'),
      ),
    ),
    "/config.yaml",
  ),
});

/** One tool that a command may be given to. */
export const toolSchema = v.strictObject({
  id: identifier,
  parser: v.picklist(["hadolint", "trivy", "renovate", "curate", "provenance", "push"]),
  image: imageReference,
  command: v.pipe(v.array(v.string()), v.minLength(1)),
  inputs: v.record(identifier, toolInputSchema),
  env: v.optional(v.record(v.string(), v.string()), () => ({})),
  socket: v.optional(v.boolean(), false),
  outputs: v.optional(v.literal("/outputs/"), "/outputs/"),
});

const configSchema = v.strictObject({
  policy: v.optional(v.pipe(v.picklist(["default", "strict", "expert"]), said("Policy profile")), "default"),
  conflicts: v.optional(
    v.pipe(v.picklist(["warn", "strict"]), said("What happens where this file and the image disagree")),
    "warn",
  ),
  tools: v.pipe(v.array(toolSchema), said("Definitions of tools")),
  cli: v.pipe(v.record(v.string(), v.string()), said("Which tool serves which command")),
});

const publishSchema = v.strictObject({
  referrers: v.optional(
    v.pipe(
      v.union([v.picklist(["all", "none"]), v.array(lineOfText)]),
      said("What is published with the image: all, none, or artifact types"),
    ),
  ),
  sign: v.optional(v.pipe(v.boolean(), said("Whether publishing signs"))),
  mirrors: v.optional(v.pipe(v.array(location), said("Repositories that get a copy"))),
});

/** The library manifest, version 1: spec of the library tools, A.1. Every object refuses keys that it does not know. */
export const manifestSchema = v.strictObject({
  version: v.optional(v.pipe(v.literal(1), said("Version of this format")), 1),
  registry: v.pipe(registrySchema, said("Where the image is published")),
  build: v.pipe(buildSchema, said("How the image is built")),
  metadata: v.pipe(metadataSchema, said("What people find it by, and what becomes its labels and annotations")),
  config: v.pipe(configSchema, said("Policy, and the tools behind the commands")),
  publish: v.optional(v.pipe(publishSchema, said("What publishing does besides pushing"))),
});

/** A manifest with every default filled in, its cross-field rules checked. */
export type LibraryManifest = v.InferOutput<typeof manifestSchema>;

/** A tool definition of a manifest. */
export type Tool = v.InferOutput<typeof toolSchema>;
