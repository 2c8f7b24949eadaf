import * as v from "valibot";
import type { Annotations } from "./annotations.ts";
import { type Digest, isDigest } from "./digest.ts";
import { isMediaType } from "./media-type.ts";
import type { Platform } from "./platform.ts";

/** image-spec v1.1.1, "OCI Content Descriptors". Properties that this program does not know stay on the object. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  readonly artifactType?: string | undefined;
  readonly annotations?: Annotations | undefined;
  readonly platform?: Platform | undefined;
  /** Places to fetch a foreign layer from: never followed. */
  readonly urls?: readonly string[] | undefined;
  /** The content itself in base64. */
  readonly data?: string | undefined;
}

/** The edge, not the media type, says whether the target is a manifest or a blob. */
export type Kind = "manifest" | "blob";

/** A descriptor and what a registry would serve it as. */
export interface Node {
  readonly kind: Kind;
  readonly descriptor: Descriptor;
}

const text = v.string();

/** Annotations as received: every value a string. Any name is only a name, `__proto__` too. */
export const annotationsSchema = v.custom<Annotations>(
  (value) =>
    typeof value === "object" &&
    value !== null &&
    !Array.isArray(value) &&
    Object.values(value).every((item) => typeof item === "string"),
  "expected an object whose values are strings",
);

const mediaTypeSchema = v.pipe(text, v.check(isMediaType, "not a media type (RFC 6838)"));

/** A platform as received: image-spec v1.1.1, "Image Index Property Descriptions". */
export const platformSchema = v.looseObject({
  os: text,
  architecture: text,
  variant: v.optional(text),
  "os.version": v.optional(text),
  "os.features": v.optional(v.array(text)),
});

/** A descriptor as received; refuses sizes that are not whole numbers from 0 to 2^53 − 1. */
export const descriptorSchema = v.looseObject({
  mediaType: mediaTypeSchema,
  digest: v.custom<Digest>((value) => typeof value === "string" && isDigest(value), "not a digest"),
  size: v.pipe(v.number(), v.safeInteger("not a whole number of bytes"), v.minValue(0, "a negative size")),
  artifactType: v.optional(v.union([mediaTypeSchema, v.literal("")])),
  annotations: v.optional(annotationsSchema),
  platform: v.optional(platformSchema),
  urls: v.optional(v.array(text)),
  data: v.optional(v.pipe(text, v.base64("not base64"))),
});
