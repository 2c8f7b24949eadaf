import { describe, expect, test } from "bun:test";
import { isIndex, parseManifest } from "../../src/oci/manifest.ts";
import { mediaTypes } from "../../src/oci/media-type.ts";

const digest = `sha256:${"a".repeat(64)}`;
const config = { mediaType: mediaTypes.ociConfig, digest, size: 2 };
const image = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: [] };
const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [] };
const parse = (value: unknown, mediaType: string = mediaTypes.ociManifest) =>
  parseManifest(new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value)), mediaType, "x");

describe("parseManifest()", () => {
  test("reads manifests and indexes of OCI and Docker and keeps what it does not know", () => {
    expect(parse({ ...image, vendor: 1 })).toMatchObject({ vendor: 1, layers: [] });
    expect(isIndex(parse(index, mediaTypes.ociIndex))).toBe(true);
    expect(isIndex(parse({ ...index, mediaType: mediaTypes.dockerManifestList }, mediaTypes.dockerManifestList))).toBe(
      true,
    );
    const { mediaType: _, ...bare } = image;
    expect(isIndex(parse(bare))).toBe(false);
  });

  test.each([
    ["both shapes", { ...image, manifests: [] }, undefined],
    ["both shapes as an index", { ...index, config, layers: [] }, mediaTypes.ociIndex],
    ["both shapes without a type, as a manifest", { schemaVersion: 2, config, layers: [], manifests: [] }, undefined],
    ["both shapes without a type, as an index", { schemaVersion: 2, layers: [], manifests: [] }, mediaTypes.ociIndex],
    ["Docker's schema 1 in an index", { ...index, fsLayers: [] }, mediaTypes.ociIndex],
    ["an index as a manifest", index, undefined],
    ["an index without a type as a manifest", { schemaVersion: 2, manifests: [] }, undefined],
    ["a manifest as an index", image, mediaTypes.ociIndex],
    ["another mediaType inside", { ...image, mediaType: mediaTypes.dockerManifest }, undefined],
    ["schemaVersion 1", { ...image, schemaVersion: 1 }, undefined],
    ["layers null", { ...image, layers: null }, undefined],
    ["no config", { schemaVersion: 2, layers: [] }, undefined],
    ["manifests that are no list", { ...index, manifests: {} }, mediaTypes.ociIndex],
    ["an annotation that is a number", { ...image, annotations: { a: 1 } }, undefined],
    ["annotations that are a list", { ...image, annotations: ["a"] }, undefined],
    ["a negative size", { ...image, config: { ...config, size: -1 } }, undefined],
    ["a size of one and a half", { ...image, config: { ...config, size: 1.5 } }, undefined],
    ["a size as text", { ...image, config: { ...config, size: "12" } }, undefined],
    ["a size beyond 2^53", { ...image, config: { ...config, size: 2 ** 63 } }, undefined],
    ["a digest that is a path", { ...image, config: { ...config, digest: "sha256:../../etc/passwd" } }, undefined],
    ["data that is not base64", { ...image, config: { ...config, data: "%%" } }, undefined],
    ["a name in another case beside the right one", { ...image, Layers: [] }, undefined],
    ["a name in another case instead", { schemaVersion: 2, config, layers: [], Subject: config }, undefined],
    ["a list", [], undefined],
  ])("refuses %s as malformed-content", (_, value, mediaType) => {
    expect(() => parse(value, mediaType)).toThrow(expect.objectContaining({ code: "malformed-content" }));
  });

  test("refuses a size beyond every double as malformed-json", () => {
    const text = JSON.stringify(image).replace('"size":2', '"size":1e400');
    expect(() => parse(text)).toThrow(expect.objectContaining({ code: "malformed-json" }));
  });

  test("names the place of what is wrong as a JSON pointer", () => {
    expect(() => parse({ ...image, layers: [config, { ...config, size: -1 }] })).toThrow("/layers/1/size");
  });

  test("refuses Docker schema 1 and other types as unsupported-content", () => {
    for (const type of [mediaTypes.dockerSchema1Signed, "text/html"]) {
      expect(() => parse(image, type)).toThrow(expect.objectContaining({ code: "unsupported-content" }));
    }
  });

  test("keeps annotations named __proto__ without pollution", () => {
    const text = JSON.stringify(image).replace(/}$/, ',"annotations":{"__proto__":"x"}}');
    expect(Object.keys(parse(text).annotations ?? {})).toEqual(["__proto__"]);
  });
});
