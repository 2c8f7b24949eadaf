import * as v from "valibot";
import { LibraryError } from "../core/error.ts";
import { isJsonObject, type JsonObject, type JsonValue, parseJson } from "../core/json.ts";
import type { Annotations } from "./annotations.ts";
import { annotationsSchema, type Descriptor, descriptorSchema } from "./descriptor.ts";
import { isIndexType, isManifestType, mediaTypes } from "./media-type.ts";

/** image-spec v1.1.1, "OCI Image Manifest Specification"; also Docker's schema 2. */
export interface ImageManifest {
  readonly schemaVersion: 2;
  readonly mediaType?: string | undefined;
  readonly artifactType?: string | undefined;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly subject?: Descriptor | undefined;
  readonly annotations?: Annotations | undefined;
}

/** image-spec v1.1.1, "OCI Image Index Specification"; also Docker's manifest list. */
export interface ImageIndex {
  readonly schemaVersion: 2;
  readonly mediaType?: string | undefined;
  readonly artifactType?: string | undefined;
  readonly manifests: readonly Descriptor[];
  readonly subject?: Descriptor | undefined;
  readonly annotations?: Annotations | undefined;
}

/** As received: the digest is of `bytes`, so `bytes` is what is stored and sent; never serialised again. */
export interface Manifest {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
  readonly value: ImageManifest | ImageIndex;
}

const common = {
  schemaVersion: v.literal(2, "expected 2"),
  mediaType: v.optional(v.string()),
  artifactType: v.optional(v.string()),
  subject: v.optional(descriptorSchema),
  annotations: v.optional(annotationsSchema),
};
const manifestSchema = v.looseObject({ ...common, config: descriptorSchema, layers: v.array(descriptorSchema) });
const indexSchema = v.looseObject({ ...common, manifests: v.array(descriptorSchema) });

/** Whether the value is an index (or manifest list), by its shape. */
export function isIndex(value: ImageManifest | ImageIndex): value is ImageIndex {
  return "manifests" in value;
}

/**
 * The value of a manifest's bytes, which are of the given type. Whoever calls has checked size and digest.
 * Throws `malformed-json`, `malformed-content` with the JSON pointer of what is wrong (a document that could be both a
 * manifest and an index among it: CVE-2021-41190), or `unsupported-content` for types that are no manifest.
 */
export function parseManifest(bytes: Uint8Array, mediaType: string, name: string): ImageManifest | ImageIndex {
  if (!isManifestType(mediaType)) throw unsupportedType(mediaType, name);
  const json = parseJson(bytes, name);
  if (!isJsonObject(json)) throw malformed(name, "", "expected an object");
  refuseNearNames(json, name, "");
  const hasList = "manifests" in json;
  const hasImage = "config" in json || "layers" in json || "fsLayers" in json;
  if (hasList && hasImage) throw malformed(name, "", "both a manifest and an index");
  if (hasList !== isIndexType(mediaType)) throw malformed(name, "", `not of its type ${mediaType}`);
  if (json.mediaType !== undefined && json.mediaType !== mediaType) {
    throw malformed(name, "/mediaType", `${JSON.stringify(json.mediaType)}, expected "${mediaType}"`);
  }
  const result = hasList ? v.safeParse(indexSchema, json) : v.safeParse(manifestSchema, json);
  if (!result.success) {
    const issue = result.issues[0];
    throw malformed(name, pointer(issue.path), issue.message);
  }
  // looseObject's output type allows any further property; the fields named above were checked by the schema
  return result.output as ImageManifest | ImageIndex;
}

/** The media type that a manifest's bytes claim or, where they claim none, the one that their shape implies. */
export function claimedMediaType(json: JsonValue): string | undefined {
  if (!isJsonObject(json)) return undefined;
  if (typeof json.mediaType === "string") return json.mediaType;
  if ("manifests" in json) return mediaTypes.ociIndex;
  return "config" in json ? mediaTypes.ociManifest : undefined;
}

function unsupportedType(mediaType: string, name: string): LibraryError {
  const schema1 = mediaType === mediaTypes.dockerSchema1 || mediaType === mediaTypes.dockerSchema1Signed;
  return new LibraryError(
    "unsupported-content",
    schema1
      ? `Cannot read ${name}: Docker schema 1 is not supported`
      : `Cannot read ${name}: ${JSON.stringify(mediaType)} is not the type of a manifest or an index`,
    schema1 ? { hint: "Pull and push the image once with a current Docker, which converts it" } : {},
  );
}

/** The names of every property that Go's decoder would match without regard to case. */
const knownNames = new Map(
  [
    ...["schemaVersion", "mediaType", "artifactType", "config", "layers", "manifests", "subject", "annotations"],
    ...["digest", "size", "urls", "data", "platform", "architecture", "os", "os.version", "os.features", "variant"],
  ].map((known) => [known.toLowerCase(), known]),
);

/**
 * Throws `malformed-content` where a name differs from a known one by case only. Go programs match names without regard
 * to case: `Digest` beside or instead of `digest` would read differently there.
 */
export function refuseNearNames(value: JsonValue, name: string, path = ""): void {
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) refuseNearNames(item, name, `${path}/${index}`);
  } else if (isJsonObject(value as JsonValue)) {
    for (const [key, item] of Object.entries(value as JsonObject)) {
      const known = knownNames.get(key.toLowerCase());
      if (known !== undefined && known !== key) throw malformed(name, `${path}/${key}`, `expected the name "${known}"`);
      if (key !== "annotations") refuseNearNames(item, name, `${path}/${key}`);
    }
  }
}

function malformed(name: string, path: string, problem: string): LibraryError {
  return new LibraryError("malformed-content", `Cannot read ${name}${path === "" ? "" : ` at ${path}`}: ${problem}`);
}

/** RFC 6901 of a schema issue's path. */
function pointer(path: readonly v.IssuePathItem[] | undefined): string {
  return (path ?? []).map((item) => `/${String(item.key).replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
}
