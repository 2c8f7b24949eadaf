import { expect, test } from "bun:test";
import { Refusal } from "../../src/server/errors.ts";
import { isStorable, parseTarget } from "../../src/server/route.ts";

test.each([
  ["/v2/", { kind: "ping" }],
  ["/v2", { kind: "ping" }],
  ["/v2/_catalog?n=1", { kind: "catalog" }],
  ["/v2/a/tags/list", { kind: "tags", repository: "a" }],
  ["/v2/a/b/tags/list", { kind: "tags", repository: "a/b" }],
  ["/v2/tags/list/tags/list", { kind: "tags", repository: "tags/list" }],
  ["/v2/a/blobs/uploads/", { kind: "uploads", repository: "a" }],
  ["/v2/a/blobs/uploads", { kind: "uploads", repository: "a" }],
  ["/v2/a/blobs/uploads/x-1", { kind: "upload", repository: "a", id: "x-1" }],
  ["/v2/a/blobs/sha256:ab", { kind: "blob", repository: "a", reference: "sha256:ab" }],
  ["/v2/a/blobs/sha256%3Aab", { kind: "blob", repository: "a", reference: "sha256:ab" }],
  ["/v2/manifests/manifests/1.0", { kind: "manifest", repository: "manifests", reference: "1.0" }],
  ["/v2/a/referrers/sha256:ab", { kind: "referrers", repository: "a", reference: "sha256:ab" }],
])("parseTarget() finds the route of %s", (target, route) => {
  expect(parseTarget(target).route as unknown).toEqual(route);
});

test.each([
  ["/", 404],
  ["/v1/a/tags/list", 404],
  ["/v2/a", 404],
  ["/v2/a/unknown/x", 404],
  ["/v2/A/tags/list", 400],
  ["/v2/../tags/list", 400],
  ["/v2/%2e%2e/tags/list", 400],
  ["/v2/a/%2e%2e/%2e%2e/tags/list", 400],
  ["/v2/a%2fb/tags/list", 400],
  ["/v2/a%00/tags/list", 400],
  ["/v2/%zz/tags/list", 400],
  ["/v2//tags/list", 400],
  ["/v2/a//b/tags/list", 400],
  ["/v2/.uploads/tags/list", 400],
  ["/v2/a/blobs/b/tags/list", 400],
  ["/v2/a/index.json/tags/list", 400],
  ["/v2/oci-layout/manifests/1", 400],
  [`/v2/${"a".repeat(256)}/tags/list`, 400],
])("parseTarget() refuses %s with %d", (target, status) => {
  let refused: unknown;
  try {
    parseTarget(target);
  } catch (error) {
    refused = error;
  }
  expect(refused).toBeInstanceOf(Refusal);
  expect((refused as Refusal).status).toBe(status);
});

test("isStorable() takes names that only begin like a layout's own files", () => {
  expect(["blobs2", "a/index.json.d", "oci-layouts", "a/b/c"].map(isStorable)).toEqual([true, true, true, true]);
});
