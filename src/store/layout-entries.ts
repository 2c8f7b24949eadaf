import { type Annotations, annotationKeys, orderedAnnotations } from "../oci/annotations.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import type { Digest } from "../oci/digest.ts";
import { edges, effectiveArtifactType } from "../oci/edges.ts";
import type { Manifest } from "../oci/manifest.ts";
import type { CommitEntry } from "./backend.ts";
import { digestNamed, type IndexChange, type LayoutIndex } from "./layout-index.ts";
import { tagMoved } from "./memory.ts";

/**
 * What a commit has to write into index.json, in an order that depends on the content alone: the tags, the roots
 * without one, and every manifest with a subject that is no member of an index written with it (those are found through
 * the index, and would make one image look like several to tools that know no referrers).
 */
export function indexChanges(entries: readonly CommitEntry[], written: Iterable<Manifest>): readonly IndexChange[] {
  const manifests = new Map<Digest, Manifest>();
  for (const manifest of [...written, ...entries.map((entry) => entry.manifest)]) {
    manifests.set(manifest.descriptor.digest, manifest);
  }
  const members = new Set<Digest>();
  for (const manifest of manifests.values()) {
    for (const { role, descriptor } of edges(manifest)) if (role === "manifest") members.add(descriptor.digest);
  }
  const roots = new Set(
    entries.filter(({ tag }) => tag === undefined).map(({ manifest }) => manifest.descriptor.digest),
  );
  const named = entries.flatMap(({ manifest, tag }) =>
    tag === undefined ? [] : [{ tag, descriptor: rootEntry(manifest) }],
  );
  const unnamed = [...manifests.values()].flatMap((manifest) => {
    const { digest } = manifest.descriptor;
    const isReferrer = manifest.value.subject !== undefined && (roots.has(digest) || !members.has(digest));
    if (isReferrer) return [{ descriptor: referrerEntry(manifest) }];
    return roots.has(digest) ? [{ descriptor: rootEntry(manifest) }] : [];
  });
  return [
    ...named.sort((a, b) => compare(a.tag, b.tag)),
    ...unnamed.sort((a, b) => compare(a.descriptor.digest, b.descriptor.digest)),
  ];
}

/** Throws `tag-moved` for the first entry whose `expect` does not hold in the index. */
export function checkExpectations(index: LayoutIndex, entries: readonly CommitEntry[], name: string): void {
  for (const { tag, expect } of entries) {
    if (tag === undefined || expect === undefined) continue;
    const is = digestNamed(index, tag, name) ?? "absent";
    if (is !== expect) throw tagMoved(`${name}:${tag}`, is, expect);
  }
}

function rootEntry({ descriptor, value }: Manifest): Descriptor {
  const { mediaType, digest, size } = descriptor;
  return { mediaType, digest, size, ...(value.artifactType ? { artifactType: value.artifactType } : {}) };
}

/** As buildx and oras find it: untagged, with what a listing needs, so that nobody has to read the manifest. */
function referrerEntry(manifest: Manifest): Descriptor {
  const { mediaType, digest, size } = manifest.descriptor;
  const artifactType = effectiveArtifactType(manifest);
  const annotations = orderedAnnotations({
    ...withoutNames(manifest.value.annotations),
    [annotationKeys.containerdSubject]: manifest.value.subject?.digest ?? "",
  });
  return { mediaType, digest, size, ...(artifactType ? { artifactType } : {}), annotations };
}

/** On an entry these would name it. */
function withoutNames(annotations: Annotations = {}): Annotations {
  const { [annotationKeys.refName]: _name, [annotationKeys.containerdImageName]: _image, ...rest } = annotations;
  return rest;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
