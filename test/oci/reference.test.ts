import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { isLibraryError } from "../../src/core/error.ts";
import {
  formatReference,
  isRegistry,
  isTag,
  parseLocation,
  parseReference,
  parseRegistry,
} from "../../src/oci/reference.ts";

const digest = `sha256:${"a".repeat(64)}`;
const registry = (host: string, repository: string) => ({ kind: "registry", registry: host, repository }) as const;

describe("parseReference()", () => {
  test.each([
    ["app", registry("docker.io", "library/app"), "latest", undefined],
    ["team/app:1", registry("docker.io", "team/app"), "1", undefined],
    ["index.docker.io/app", registry("docker.io", "library/app"), "latest", undefined],
    ["localhost/app", registry("localhost", "app"), "latest", undefined],
    ["localhost:5000/a/b:1.10", registry("localhost:5000", "a/b"), "1.10", undefined],
    ["r.example.org/a", registry("r.example.org", "a"), "latest", undefined],
    ["[::1]:5000/a:1", registry("[::1]:5000", "a"), "1", undefined],
    [`r.example.org/a@${digest}`, registry("r.example.org", "a"), undefined, digest],
    [`r.example.org/a:1@${digest}`, registry("r.example.org", "a"), "1", digest],
    ["docker://r.example.org/a:1", registry("r.example.org", "a"), "1", undefined],
    ["oci:dist", { kind: "layout", path: "dist" }, undefined, undefined],
    ["oci:./dist:1.0", { kind: "layout", path: "./dist" }, "1.0", undefined],
    ["oci:/a:b/c", { kind: "layout", path: "/a:b/c" }, undefined, undefined],
    [`oci:dist@${digest}`, { kind: "layout", path: "dist" }, undefined, digest],
    [`oci:a@b:1@${digest}`, { kind: "layout", path: "a@b" }, "1", digest],
    ["ocidir://dist:1", { kind: "layout", path: "dist" }, "1", undefined],
    ["oci-layout:///abs:1", { kind: "layout", path: "/abs" }, "1", undefined],
    ["oci-archive:x.tar", { kind: "archive", path: "x.tar" }, undefined, undefined],
    ["oci-archive:x.tar:1", { kind: "archive", path: "x.tar" }, "1", undefined],
  ])("reads %s", (text, location, tag, wanted) => {
    const reference = parseReference(text);
    expect<unknown>(reference.location).toEqual(location);
    expect<string | undefined>(reference.tag).toBe(tag);
    expect<string | undefined>(reference.digest).toBe(wanted);
  });

  test.each([
    "",
    "r.example.org/App",
    "r.example.org/a:",
    "r.example.org/a:-x",
    `r.example.org/a:${"x".repeat(129)}`,
    "r.example.org/a@sha256:abc",
    "r.example.org/a@latest",
    "r.example.org/../../v2/_catalog",
    "r.example.org/a/../b",
    "r.example.org/%2e%2e/a",
    "r.example.org/a?x=1",
    "r.example.org/a#x",
    "r.example.org/a b",
    "r.example.org/a:1\n",
    "r.example.org/",
    "r.example.org:99999/a",
    "r.example.org:0/a",
    "user@r.example.org/a",
    "http://r.example.org/a",
    "a".repeat(300),
    "f".repeat(64),
    "oci:",
    "oci::1",
    "oci:dist:",
    "oci:dist@sha256:..",
    "oci:dist\u0000x",
  ])("refuses %j", (text) => {
    expect(() => parseReference(text)).toThrow(expect.objectContaining({ code: "invalid-reference" }));
  });

  test.each([
    ["spectra.tar", 'Write "oci-archive:spectra.tar"'],
    ["spectra.tar:1.0", 'Write "oci-archive:spectra.tar:1.0"'],
    ["team/spectra.tgz", 'Write "oci-archive:team/spectra.tgz"'],
    ["./spectra.tar.zst", 'Write "oci-archive:./spectra.tar.zst"'],
    ["./dist:1.0", 'Write "oci:./dist:1.0"'],
    ["/srv/dist", 'Write "oci:/srv/dist"'],
    ["docker-archive:app.tar", "skopeo copy docker-archive:app.tar oci-archive:"],
    ["docker-archive:/srv/app.tar", "skopeo copy docker-archive:/srv/app.tar oci-archive:"],
    ["docker-daemon:app:1", "skopeo copy docker-daemon:app:1 oci-archive:"],
    ["containers-storage:app:1", "skopeo copy containers-storage:app:1 oci-archive:"],
    ["dir:app", "skopeo copy dir:app oci-archive:"],
    ["oci-dir:app:1", 'Write "oci:app:1"'],
    ["oci_archive:app.tar", 'Write "oci-archive:app.tar"'],
    ["localhost:5000", "Name a repository, as localhost:5000/app"],
    ["localhost:5000/", "Name a repository, as localhost:5000/app"],
    ["localhost", "Name a repository, as localhost/app"],
    ["127.0.0.1:5000", "Name a repository, as 127.0.0.1:5000/app"],
    ["[::1]:5000", "Name a repository, as [::1]:5000/app"],
    ["r.example.org:443", "Name a repository, as r.example.org:443/app"],
  ])("refuses %s, which is no repository of docker.io, and says what to write", (text, hint) => {
    expect(() => parseReference(text)).toThrow(
      expect.objectContaining({ code: "invalid-reference", hint: expect.stringContaining(hint) }),
    );
  });

  test.each([
    ["dir:5000/app", registry("dir:5000", "app")],
    ["localhost:5000/app.tar", registry("localhost:5000", "app.tar")],
    ["app:5000", registry("docker.io", "library/app")],
    ["docker://docker.io/library/app.tar", registry("docker.io", "library/app.tar")],
  ])("still reads %s", (text, location) => {
    expect<unknown>(parseReference(text).location).toEqual(location);
  });

  test("is the inverse of formatReference()", () => {
    const name = fc.stringMatching(/^[a-z0-9]{1,8}(\/[a-z0-9]{1,8}(-[a-z0-9]{1,4})?){1,3}$/);
    const tag = fc.stringMatching(/^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,20}$/);
    fc.assert(
      fc.property(
        fc.constantFrom("r.example.org", "localhost:5000", "[::1]:443"),
        name,
        tag,
        (host, repository, tag) => {
          const text = `${host}/${repository}:${tag}`;
          expect(formatReference(parseReference(text))).toBe(text);
        },
      ),
    );
  });

  test("throws nothing but invalid-reference for any text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 80 }), (text) => {
        try {
          parseReference(text);
        } catch (error) {
          expect(isLibraryError(error, "invalid-reference")).toBe(true);
        }
      }),
    );
  });
});

test("parseLocation() refuses a tag or digest", () => {
  expect(parseLocation("r.example.org/a")).toEqual(registry("r.example.org", "a"));
  expect(() => parseLocation("r.example.org/a:1")).toThrow(expect.objectContaining({ code: "invalid-reference" }));
  expect(() => parseLocation(`oci:x@${digest}`)).toThrow(expect.objectContaining({ code: "invalid-reference" }));
});

test("parseRegistry() takes a host and drops the parts of a URL", () => {
  expect(parseRegistry("https://r.example.org/")).toBe("r.example.org");
  expect(parseRegistry("index.docker.io")).toBe("docker.io");
  expect(() => parseRegistry("r.example.org/app")).toThrow(expect.objectContaining({ code: "invalid-reference" }));
});

test("isTag() and isRegistry() hold to the grammar", () => {
  expect([isTag("1.10"), isTag("_x"), isTag(".x"), isTag("a/b")]).toEqual([true, true, false, false]);
  expect([isRegistry("a"), isRegistry("a.b:1"), isRegistry("-a"), isRegistry("a..b"), isRegistry("a:65536")]).toEqual([
    true,
    true,
    false,
    false,
    false,
  ]);
});
