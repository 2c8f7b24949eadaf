import { type Annotations, annotationKeys, orderedAnnotations } from "../oci/annotations.ts";
import type { LibraryManifest } from "./schema.ts";

/**
 * Keys for what the image-spec has no key for, in a namespace of our own, since `org.opencontainers` is reserved.
 * Lists are JSON arrays of strings (a comma may be part of a keyword), `deprecated` is `true` or `false`, and all of
 * them are always written: a label that is left out would be inherited from the base image.
 */
const ownKeys = {
  keywords: "net.canfar.image.keywords",
  domain: "net.canfar.image.domain",
  kind: "net.canfar.image.kind",
  tools: "net.canfar.image.tools",
  deprecated: "net.canfar.image.deprecated",
} as const;

/** Facts of the run that go before, or stand in for, what the manifest says. */
export interface BuildFacts {
  /** From `SOURCE_DATE_EPOCH`, or the moment of publishing: wins over the manifest's `created`. */
  readonly created?: Date | undefined;
  /** Stands in where neither `created` above nor the manifest's is there: the time of the build. */
  readonly now?: Date | undefined;
  /** Stands in where the manifest's revision is `unknown`. */
  readonly revision?: string | undefined;
}

/**
 * What the manifest says of the image, as labels of its config and as annotations of its manifest and index, keys in
 * code point order: image-spec v1.1.1, "Pre-Defined Annotation Keys", and `ownKeys`. Absent, null, empty and
 * `unknown` values of predefined keys are left out.
 */
export function imageAnnotations(manifest: LibraryManifest, facts: BuildFacts = {}): Annotations {
  const { discovery } = manifest.metadata;
  const revision = discovery.revision === "unknown" ? facts.revision : discovery.revision;
  const written = discovery.created === undefined ? facts.now : new Date(discovery.created);
  const created = facts.created ?? written;
  const values: Readonly<Record<string, string | null | undefined>> = {
    [annotationKeys.title]: discovery.title,
    [annotationKeys.description]: discovery.description,
    [annotationKeys.source]: discovery.source,
    [annotationKeys.url]: discovery.url,
    [annotationKeys.documentation]: discovery.documentation,
    [annotationKeys.version]: discovery.version,
    [annotationKeys.revision]: revision === "unknown" ? undefined : revision,
    [annotationKeys.licenses]: discovery.licenses,
    [annotationKeys.created]: created && formatMoment(created),
    [annotationKeys.authors]: discovery.authors.map(({ name, email }) => `${name} <${email}>`).join(", "),
    [annotationKeys.vendor]: discovery.vendor,
    [annotationKeys.baseName]: manifest.build.base?.name,
    [annotationKeys.baseDigest]: manifest.build.base?.digest,
    [ownKeys.keywords]: JSON.stringify(discovery.keywords),
    [ownKeys.domain]: JSON.stringify(discovery.domain),
    [ownKeys.kind]: JSON.stringify(discovery.kind),
    [ownKeys.tools]: JSON.stringify(discovery.tools),
    [ownKeys.deprecated]: String(discovery.deprecated),
  };
  const present = Object.entries(values).flatMap(([key, value]) => (value ? [[key, value] as const] : []));
  return orderedAnnotations(Object.fromEntries(present)) ?? {};
}

/** RFC 3339 in UTC, `2026-01-31T12:00:00Z`; fractions of a second only where there are some. */
function formatMoment(moment: Date): string {
  return moment.toISOString().replace(".000Z", "Z");
}
