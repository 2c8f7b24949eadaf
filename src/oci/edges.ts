import type { Descriptor, Node } from "./descriptor.ts";
import { isIndex, type Manifest } from "./manifest.ts";
import { isManifestType } from "./media-type.ts";

/** How a node came to be reached. */
export type Role = "root" | "manifest" | "config" | "layer" | "subject" | "referrer";

/** A node and the role in which a manifest points at it. */
export interface Edge extends Node {
  readonly role: Role;
}

/**
 * What the manifest points at, in document order: the members of an index, the config and layers of a manifest, and
 * last the subject, which is no child. Members of an index whose type is not a manifest's are blobs.
 */
export function edges(manifest: Manifest): readonly Edge[] {
  const { value } = manifest;
  const subject: Edge[] = value.subject ? [{ kind: "manifest", role: "subject", descriptor: value.subject }] : [];
  if (isIndex(value)) return [...value.manifests.map(member), ...subject];
  return [
    { kind: "blob", role: "config", descriptor: value.config },
    ...value.layers.map((descriptor): Edge => ({ kind: "blob", role: "layer", descriptor })),
    ...subject,
  ];
}

function member(descriptor: Descriptor): Edge {
  return { kind: isManifestType(descriptor.mediaType) ? "manifest" : "blob", role: "manifest", descriptor };
}

/** The type of an artifact: its artifactType, else its config's media type: image-spec v1.1.1, "Guidelines for Artifact Usage". */
export function effectiveArtifactType(manifest: Manifest): string | undefined {
  const { value } = manifest;
  if (value.artifactType) return value.artifactType;
  return isIndex(value) ? undefined : value.config.mediaType;
}
