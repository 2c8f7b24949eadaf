import { describe, expect, test } from "bun:test";
import { type BuildFacts, imageAnnotations } from "../../src/manifest/annotations.ts";
import { loadManifest } from "../../src/manifest/load.ts";
import { manifestWith, minimalManifest } from "../support/manifest-text.ts";

const annotations = (text: string, facts?: BuildFacts) => imageAnnotations(loadManifest(text, "m.yaml").value, facts);
const withDiscovery = (line: string) => manifestWith("  discovery:\n", `  discovery:\n    ${line}\n`);

test("imageAnnotations() maps what a minimal manifest says, in the order of keys", () => {
  const found = annotations(minimalManifest);
  expect(found).toEqual({
    "net.canfar.image.deprecated": "false",
    "net.canfar.image.domain": '["astronomy"]',
    "net.canfar.image.keywords": "[]",
    "net.canfar.image.kind": '["headless"]',
    "net.canfar.image.tools": "[]",
    "org.opencontainers.image.authors": "Ada Example <ada@example.org>",
    "org.opencontainers.image.description": "Shows images of the sky",
    "org.opencontainers.image.licenses": "Apache-2.0",
    "org.opencontainers.image.source": "https://git.example.org/astro/viewer",
    "org.opencontainers.image.title": "Viewer",
    "org.opencontainers.image.version": "1.10",
  });
  expect(Object.keys(found)).toEqual(Object.keys(found).sort());
});

describe("imageAnnotations() maps", () => {
  const digest = `sha256:${"a".repeat(64)}`;
  test.each([
    ["url", withDiscovery("url: https://a.org"), "org.opencontainers.image.url", "https://a.org"],
    [
      "documentation",
      withDiscovery("documentation: https://a.org"),
      "org.opencontainers.image.documentation",
      "https://a.org",
    ],
    ["vendor", withDiscovery("vendor: Example"), "org.opencontainers.image.vendor", "Example"],
    ["revision", withDiscovery("revision: abc"), "org.opencontainers.image.revision", "abc"],
    [
      "created in UTC",
      withDiscovery("created: 2026-01-31T12:00:00+01:00"),
      "org.opencontainers.image.created",
      "2026-01-31T11:00:00Z",
    ],
    [
      "base",
      manifestWith("build:\n", `build:\n  base: {name: docker.io/library/debian:12, digest: ${digest}}\n`),
      "org.opencontainers.image.base.digest",
      digest,
    ],
    [
      "base name",
      manifestWith("build:\n", "build:\n  base: {name: docker.io/library/debian:12}\n"),
      "org.opencontainers.image.base.name",
      "docker.io/library/debian:12",
    ],
    [
      "a keyword with a comma",
      manifestWith("keywords: []", 'keywords: ["a, b", "c"]'),
      "net.canfar.image.keywords",
      '["a, b","c"]',
    ],
    ["deprecated", withDiscovery("deprecated: true"), "net.canfar.image.deprecated", "true"],
  ])("%s", (_, text, key, value) => {
    expect(annotations(text)[key]).toBe(value);
  });
});

describe("imageAnnotations() takes as created", () => {
  const key = "org.opencontainers.image.created";
  const written = withDiscovery("created: 2026-01-31T12:00:00Z");
  test("the override over the manifest's", () => {
    expect(annotations(written, { created: new Date(0) })[key]).toBe("1970-01-01T00:00:00Z");
  });
  test("the manifest's over the time of the build", () => {
    expect(annotations(written, { now: new Date(0) })[key]).toBe("2026-01-31T12:00:00Z");
  });
  test("the time of the build where there is no other", () => {
    expect(annotations(minimalManifest, { now: new Date(5) })[key]).toBe("1970-01-01T00:00:00.005Z");
  });
});

test("imageAnnotations() takes git's revision only where the manifest has none", () => {
  const key = "org.opencontainers.image.revision";
  expect(annotations(minimalManifest, { revision: "abc" })[key]).toBe("abc");
  expect(annotations(minimalManifest, { revision: "unknown" })[key]).toBeUndefined();
  expect(annotations(withDiscovery("revision: def"), { revision: "abc" })[key]).toBe("def");
});
