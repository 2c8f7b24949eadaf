/** Keys and string values; the keys are ordered when they are written. */
export type Annotations = Readonly<Record<string, string>>;

/** Annotation keys that this program reads or writes: image-spec v1.1.1, "Pre-Defined Annotation Keys", and others' dialects. */
export const annotationKeys = {
  created: "org.opencontainers.image.created",
  authors: "org.opencontainers.image.authors",
  url: "org.opencontainers.image.url",
  documentation: "org.opencontainers.image.documentation",
  source: "org.opencontainers.image.source",
  version: "org.opencontainers.image.version",
  revision: "org.opencontainers.image.revision",
  vendor: "org.opencontainers.image.vendor",
  licenses: "org.opencontainers.image.licenses",
  refName: "org.opencontainers.image.ref.name",
  title: "org.opencontainers.image.title",
  description: "org.opencontainers.image.description",
  baseName: "org.opencontainers.image.base.name",
  baseDigest: "org.opencontainers.image.base.digest",
  /** containerd and buildx: the full reference of a layout's entry. */
  containerdImageName: "io.containerd.image.name",
  /** buildx: in a layout's index.json, the digest whose referrer this entry is. */
  containerdSubject: "io.containerd.manifest.subject",
  /** BuildKit: `attestation-manifest` on an index's entry that is no image. */
  dockerReferenceType: "vnd.docker.reference.type",
  /** BuildKit: the digest of the image that an attestation manifest is about. */
  dockerReferenceDigest: "vnd.docker.reference.digest",
} as const;

/** The same annotations with their keys in code point order; undefined where there are none. */
export function orderedAnnotations(annotations: Annotations | undefined): Annotations | undefined {
  const entries = Object.entries(annotations ?? {}).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}
