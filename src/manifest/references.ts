import { UsageError } from "../core/error.ts";
import { formatReference, isTag, parseReference, type RegistryLocation } from "../oci/reference.ts";
import type { LibraryManifest } from "./schema.ts";

/** A name that the built image gets. */
export interface ImageName {
  /** As the manifest says it: `1.0`, or a full reference. */
  readonly entry: string;
  readonly location: RegistryLocation;
  readonly tag: string;
  /** In full: `registry.example.org/project/image:1.0`. */
  readonly reference: string;
}

/** The parts of a manifest that name images; `LibraryManifest` is one. */
export interface Naming {
  readonly registry: LibraryManifest["registry"];
  readonly build: Pick<LibraryManifest["build"], "tags">;
}

/**
 * The full name of every entry of `build.tags`, in order, each name once: the one place where tags of a manifest are
 * resolved. A plain tag gets host, project and image before it; an entry with any of `/ : @` in it is a full
 * reference as it stands. Throws `invalid-reference` for what no validated manifest holds.
 */
export function imageNames(manifest: Naming): readonly ImageName[] {
  const names = manifest.build.tags.map((entry) => resolveTag(manifest, entry));
  return names.filter((name, index) => names.findIndex(({ reference }) => reference === name.reference) === index);
}

/** The name that one entry, of `build.tags` or of `--tag`, stands for; throws `invalid-reference`. */
export function resolveTag({ registry }: Pick<Naming, "registry">, entry: string): ImageName {
  const isPlain = !/[/:@]/.test(entry);
  if (isPlain && !isTag(entry)) throw invalid(entry, "not a tag");
  const reference = parseReference(isPlain ? `${registry.host}/${registry.project}/${registry.image}:${entry}` : entry);
  const { location, tag = "latest" } = reference;
  if (location.kind !== "registry") throw invalid(entry, "not a name in a registry");
  if (reference.digest !== undefined) throw invalid(entry, "a digest, which comes from the build");
  return { entry, location, tag, reference: formatReference({ location, tag }) };
}

function invalid(entry: string, problem: string): UsageError {
  return new UsageError(`Cannot name an image ${JSON.stringify(entry.slice(0, 160))}: ${problem}`, {
    code: "invalid-reference",
    hint: 'Write a tag, as "1.0", or in full "registry.example.org/project/image:1.0"',
  });
}
