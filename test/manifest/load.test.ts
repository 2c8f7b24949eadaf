import { describe, expect, test } from "bun:test";
import { defaultConfig } from "../../src/manifest/defaults.ts";
import { loadManifest } from "../../src/manifest/load.ts";
import { invalidInput } from "../support/invalid-input.ts";
import { manifestWith, minimalManifest } from "../support/manifest-text.ts";

const file = ".library.manifest.yaml";
const tool = "config.tools[0]";

/** Adds lines behind the section's first line, indented by hand. */
const inBuild = (lines: string) => manifestWith("build:\n", `build:\n${lines}\n`);
const inDiscovery = (lines: string) => manifestWith("  discovery:\n", `  discovery:\n${lines}\n`);
const inMetadata = (lines: string) => manifestWith("metadata:\n", `metadata:\n${lines}\n`);
const inTool = (lines: string) => manifestWith("      parser: trivy\n", `      parser: trivy\n${lines}\n`);

describe("loadManifest() fills in defaults", () => {
  const { value } = loadManifest(minimalManifest, file);
  test.each([
    ["version", value.version, 1],
    ["build.context", value.build.context, "."],
    ["build.file", value.build.file, "Dockerfile"],
    ["build.platforms", value.build.platforms, ["linux/amd64"]],
    ["build.output", value.build.output, "type=docker"],
    ["build.options", value.build.options, ""],
    ["url", value.metadata.discovery.url, null],
    ["documentation", value.metadata.discovery.documentation, null],
    ["revision", value.metadata.discovery.revision, "unknown"],
    ["domain", value.metadata.discovery.domain, ["astronomy"]],
    ["deprecated", value.metadata.discovery.deprecated, false],
    ["author's role", value.metadata.discovery.authors[0]?.role, "maintainer"],
    ["author's orcid", value.metadata.discovery.authors[0]?.orcid, null],
    ["config.policy", value.config.policy, "default"],
    ["config.conflicts", value.config.conflicts, "warn"],
    ["an input", value.config.tools[0]?.inputs.config, { source: "default", destination: "/config.yaml" }],
    ["env", value.config.tools[0]?.env, {}],
    ["socket", value.config.tools[0]?.socket, false],
    ["outputs", value.config.tools[0]?.outputs, "/outputs/"],
  ])("of %s", (_, found, expected) => {
    expect<unknown>(found).toEqual(expected);
  });
});

describe("loadManifest() accepts", () => {
  test.each([
    ["a full reference as a tag", manifestWith("- latest", "- localhost:5000/a/b:1")],
    ["null for a URL", inDiscovery("    url: null\n    documentation: https://example.org/d")],
    ["a moment with an offset", inDiscovery("    created: 2026-01-31T12:00:00.5+01:00")],
    ["a deprecated licence", manifestWith("Apache-2.0", "AGPL-3.0")],
    [
      "a licence expression",
      manifestWith("Apache-2.0", "(MIT OR GPL-2.0-only WITH Classpath-exception-2.0) AND LicenseRef-x"),
    ],
    ["255 characters beyond the basic plane", manifestWith("'Shows images of the sky'", "🌌".repeat(255))],
    ["vendor", inDiscovery("    vendor: Example")],
    ["exec_env", inBuild("  exec_env: test")],
    ["targets", inBuild("  targets: [{os: linux, arch: arm, variant: v7, distros: [{name: debian, version: '12'}]}]")],
    ["base", inBuild(`  base: {name: docker.io/library/debian:12, digest: sha256:${"a".repeat(64)}}`)],
    [
      "requires and provides",
      inMetadata("  requires: [{reference: example.org/a:1}]\n  provides: [{reference: example.org/b:1}]"),
    ],
    ["lifecycle", inMetadata('  lifecycle: {eol: "2027-12-31", superseded_by: example.org/a/b:2}')],
    [
      "publish",
      `${minimalManifest}publish: {referrers: all, sign: true, mirrors: [mirror.example.org/a/b, "oci:dist"]}\n`,
    ],
    ["referrers by type", `${minimalManifest}publish: {referrers: [application/spdx+json]}\n`],
    [
      "type=oci with two platforms",
      inBuild("  platforms: [linux/amd64, linux/arm64]\n  output: type=oci,dest=out.tar"),
    ],
    ["two platforms with the default output", inBuild("  platforms: [linux/amd64, linux/arm64]")],
    ["a byte order mark", `\ufeff${minimalManifest}`],
    ["CRLF", minimalManifest.replaceAll("\n", "\r\n")],
    ["an alias", manifestWith("title: Viewer", "title: &t Viewer\n    vendor: *t")],
    ["JSON", JSON.stringify(loadManifest(minimalManifest, file).value)],
    [
      "the default tools",
      `${minimalManifest.slice(0, minimalManifest.indexOf("config:"))}config: ${JSON.stringify(defaultConfig)}\n`,
    ],
  ])("%s", (_, text) => {
    expect(loadManifest(text, file).value.registry.host).toBe("registry.example.org");
  });
});

describe("loadManifest() refuses one value at its place", () => {
  // Text, then line, column and path of the one problem, and what its hint must hold
  test.each([
    ["an unknown key", inBuild("  tag: x"), 7, 3, "build.tag", '"tags"'],
    ["version 2", `version: 2\n${minimalManifest}`, 1, 10, "version", "Write 1"],
    ["a quoted version", `version: "1"\n${minimalManifest}`, 1, 10, "version", "Write 1"],
    ["a host with a path", manifestWith("host: registry.example.org", "host: a.org/x"), 3, 9, "registry.host", "alone"],
    ["a host without a dot", manifestWith("host: registry.example.org", "host: myhost"), 3, 9, "registry.host", "port"],
    [
      "a project in upper case",
      manifestWith("project: astro", "project: Astro"),
      4,
      12,
      "registry.project",
      "lower-case",
    ],
    ["an image of dots", manifestWith("image: viewer", "image: .."), 5, 10, "registry.image", "lower-case"],
    ["a missing host", manifestWith("  host: registry.example.org\n", ""), 2, 1, "registry.host", "Add"],
    ["a tag that is a number", manifestWith('"1.10"', "1.10"), 8, 7, "build.tags[0]", 'Quote it: "1.10"'],
    ["a tag that is true", manifestWith('"1.10"', "True"), 8, 7, "build.tags[0]", 'Quote it: "True"'],
    ["a tag like a flag", manifestWith('"1.10"', "-x"), 8, 7, "build.tags[0]", "not starting with"],
    ["a tag with a space", manifestWith('"1.10"', "a b"), 8, 7, "build.tags[0]", "letters"],
    ["a tag with a digest", manifestWith('"1.10"', `a.org/b@sha256:${"a".repeat(64)}`), 8, 7, "build.tags[0]", "@"],
    ["a tag of a layout", manifestWith('"1.10"', "oci:dir:tag"), 8, 7, "build.tags[0]", "in full"],
    [
      "a list that is text",
      manifestWith("kind: [headless]", "kind: headless"),
      22,
      11,
      "metadata.discovery.kind",
      "[headless]",
    ],
    ["a mapping that is a list", inMetadata("  lifecycle: [a]"), 11, 14, "metadata.lifecycle", ""],
    ["no platform", inBuild("  platforms: []"), 7, 14, "build.platforms", "Add"],
    ["a platform of one part", inBuild("  platforms: [linux]"), 7, 15, "build.platforms[0]", "linux/amd64"],
    ["a platform with a wildcard", inBuild("  platforms: ['linux/*']"), 7, 15, "build.platforms[0]", "linux/amd64"],
    ["a platform twice", inBuild("  platforms: [linux/arm64, linux/arm64/v8]"), 7, 28, "build.platforms[1]", "Remove"],
    [
      "type=docker with two platforms",
      inBuild("  platforms: [linux/amd64, linux/arm64]\n  output: type=docker"),
      8,
      11,
      "build.output",
      "type=oci",
    ],
    ["an output that climbs", inBuild("  output: type=oci,dest=../../x"), 7, 11, "build.output", ".."],
    [
      "targets beside platforms",
      inBuild("  platforms: [linux/amd64]\n  targets: [{os: linux, arch: amd64}]"),
      8,
      3,
      "build.targets",
      "Remove",
    ],
    ["a bad exec_env", inBuild("  exec_env: a/b"), 7, 13, "build.exec_env", "letters"],
    ["a bad base digest", inBuild("  base: {name: a.org/b, digest: sha256:x}"), 7, 33, "build.base.digest", "sha256:"],
    ["an empty title", manifestWith("title: Viewer", "title:"), 12, 11, "metadata.discovery.title", "behind the colon"],
    ["a title of spaces", manifestWith("title: Viewer", "title: '  '"), 12, 12, "metadata.discovery.title", "one line"],
    [
      "a newline in a label",
      manifestWith("title: Viewer", 'title: "a\\nb"'),
      12,
      12,
      "metadata.discovery.title",
      "one line",
    ],
    [
      "256 characters",
      manifestWith("'Shows images of the sky'", "🌌".repeat(256)),
      13,
      18,
      "metadata.discovery.description",
      "Shorten",
    ],
    [
      "no character",
      manifestWith("'Shows images of the sky'", "''"),
      13,
      18,
      "metadata.discovery.description",
      "Shorten",
    ],
    [
      "a source that is no URL",
      manifestWith("https://git.example.org/astro/viewer", "viewer"),
      14,
      13,
      "metadata.discovery.source",
      "https://",
    ],
    [
      "a source of a file",
      manifestWith("https://git.example.org/astro/viewer", "file:///etc"),
      14,
      13,
      "metadata.discovery.source",
      "https://",
    ],
    [
      "a password in a URL",
      manifestWith("https://git", "https://me:secret@git"),
      14,
      13,
      "metadata.discovery.source",
      "public",
    ],
    [
      "a version that is a number",
      manifestWith('version: "1.10"', "version: 1.10"),
      15,
      14,
      "metadata.discovery.version",
      '"1.10"',
    ],
    ["a day for a moment", inDiscovery("    created: 2026-01-31"), 12, 14, "metadata.discovery.created", "T12:00:00Z"],
    [
      "a day that is none",
      inDiscovery("    created: 2026-02-30T00:00:00Z"),
      12,
      14,
      "metadata.discovery.created",
      "T12:00:00Z",
    ],
    [
      "a moment without offset",
      inDiscovery("    created: 2026-01-31T00:00:00"),
      12,
      14,
      "metadata.discovery.created",
      "Z",
    ],
    [
      "an author without e-mail",
      manifestWith("        email: ada@example.org\n", ""),
      17,
      9,
      "metadata.discovery.authors[0].email",
      "Add",
    ],
    ["a bad e-mail", manifestWith("ada@example.org", "ada"), 18, 16, "metadata.discovery.authors[0].email", "name@"],
    [
      "an unknown licence",
      manifestWith("Apache-2.0", "Apache-2"),
      19,
      15,
      "metadata.discovery.licenses",
      '"Apache-2.0"',
    ],
    ["half a licence expression", manifestWith("Apache-2.0", "MIT OR"), 19, 15, "metadata.discovery.licenses", ""],
    [
      "licence operators in lower case",
      manifestWith("Apache-2.0", "MIT or ISC"),
      19,
      15,
      "metadata.discovery.licenses",
      "OR",
    ],
    ["an open bracket", manifestWith("Apache-2.0", "(MIT"), 19, 15, "metadata.discovery.licenses", ""],
    ["keywords that are null", manifestWith("keywords: []", "keywords:"), 20, 14, "metadata.discovery.keywords", ""],
    ["no kind", manifestWith("kind: [headless]", "kind: []"), 22, 11, "metadata.discovery.kind", "Add"],
    [
      "an unknown kind",
      manifestWith("kind: [headless]", "kind: [headles]"),
      22,
      12,
      "metadata.discovery.kind[0]",
      '"headless"',
    ],
    ["no domain", inDiscovery("    domain: []"), 12, 13, "metadata.discovery.domain", "Add"],
    ["yes for true", inDiscovery("    deprecated: yes"), 12, 17, "metadata.discovery.deprecated", "true or false"],
    ["a moment for eol", inMetadata("  lifecycle: {eol: tomorrow}"), 11, 20, "metadata.lifecycle.eol", "2027-12-31"],
    [
      "an unknown policy",
      manifestWith("config:\n", "config:\n  policy: strikt\n"),
      24,
      11,
      "config.policy",
      '"strict"',
    ],
    ["an unknown conflict", manifestWith("config:\n", "config:\n  conflicts: fail\n"), 24, 14, "config.conflicts", ""],
    [
      "a tool twice",
      minimalManifest.replace(
        "  cli:",
        "    - {id: scan-tool, parser: push, image: a.org/b, command: [x], inputs: {}}\n  cli:",
      ),
      31,
      12,
      "config.tools[1].id",
      "own",
    ],
    [
      "a command for no tool",
      manifestWith("scan: scan-tool", "scan: scan-tol"),
      32,
      11,
      "config.cli.scan",
      '"scan-tool"',
    ],
    ["a tool id with a space", minimalManifest.replaceAll("scan-tool", "-x"), 25, 11, `${tool}.id`, "beginning"],
    ["an unknown parser", manifestWith("parser: trivy", "parser: trivi"), 26, 15, `${tool}.parser`, '"trivy"'],
    [
      "an empty command",
      manifestWith('["image", "{{ image.reference }}", "--config={{inputs.config}}"]', "[]"),
      28,
      16,
      `${tool}.command`,
      "Add",
    ],
    [
      "a malformed token",
      manifestWith("{{ image.reference }}", "{{ image reference }}"),
      28,
      26,
      `${tool}.command[1]`,
      "image.reference",
    ],
    ["an unknown token", manifestWith("inputs.config", "inputs.other"), 28, 51, `${tool}.command[2]`, "inputs.config"],
    [
      "a relative destination",
      manifestWith("config: {}", "config: {destination: x}"),
      30,
      31,
      `${tool}.inputs.config.destination`,
      "/config.yaml",
    ],
    [
      "a destination that climbs",
      manifestWith("config: {}", "config: {destination: /a/../b}"),
      30,
      31,
      `${tool}.inputs.config.destination`,
      "/config.yaml",
    ],
    ["a number in env", inTool("      env: {LEVEL: 010}"), 27, 20, `${tool}.env.LEVEL`, '"010"'],
    ["another outputs", inTool("      outputs: /tmp"), 27, 16, `${tool}.outputs`, "/outputs/"],
    ["socket as text", inTool("      socket: on"), 27, 15, `${tool}.socket`, "true or false"],
    [
      "a bad mirror",
      `${minimalManifest}publish: {mirrors: ["a.org/b:1"]}\n`,
      33,
      21,
      "publish.mirrors[0]",
      "host/repository",
    ],
    ["an unknown section", `${minimalManifest}publsh: {}\n`, 33, 1, "publsh", '"publish"'],
    ["a missing section", minimalManifest.slice(0, minimalManifest.indexOf("config:")), 1, 1, "config", "Add"],
    [
      "an empty config",
      `${minimalManifest.slice(0, minimalManifest.indexOf("config:"))}config: {tools: []}\n`,
      23,
      1,
      "config.cli",
      "Add",
    ],
    ["a merge key", manifestWith("registry:\n", "registry:\n  <<: {a: b}\n"), 3, 3, 'registry["<<"]', "Remove"],
  ])("%s", async (_, text, line, column, path, hint) => {
    const error = await invalidInput(() => loadManifest(text, file));
    expect(error.code).toBe("invalid-manifest-file");
    expect(error.problems.map((problem) => [problem.file, problem.line, problem.column, problem.path])).toEqual([
      [file, line, column, path],
    ]);
    expect(error.problems[0]?.hint ?? "").toContain(hint);
    expect(JSON.stringify(error.problems)).not.toContain("secret");
  });
});

test("loadManifest() reports problems of types, rules and unknown keys at once, in the order of the file", async () => {
  const text = minimalManifest
    .replace('"1.10"', "1.10")
    .replace("title: Viewer", "titel: Viewer")
    .replace("scan: scan-tool", "scan: other")
    .replace("  image: viewer", "  image: viewer\n  a: 1\n  b: 2");
  const { problems } = await invalidInput(() => loadManifest(text, file));
  expect(problems.map(({ path }) => path)).toEqual([
    "registry.a",
    "registry.b",
    "build.tags[0]",
    "metadata.discovery.title",
    "metadata.discovery.titel",
    "config.cli.scan",
  ]);
});

test("loadManifest() shows the place and the value in the message of an only problem", async () => {
  const { message, hint } = await invalidInput(() => loadManifest(manifestWith('"1.10"', "1.10"), file));
  expect(message).toBe("Cannot read .library.manifest.yaml:8:7: build.tags[0] is the number 1.1, expected a string");
  expect(hint).toBe('Quote it: "1.10"');
});

test("isWritten() tells a default from what the file says", () => {
  const loaded = loadManifest(inBuild("  output: type=docker"), file);
  expect(loaded.isWritten(["build", "output"])).toBe(true);
  expect(loaded.isWritten(["build", "platforms"])).toBe(false);
  expect(loaded.at(["build", "output"])).toEqual({ file, line: 7, column: 11 });
  expect(loaded.at(["build", "platforms"])).toEqual({ file, line: 6, column: 1 });
});
