import type { Content } from "../core/content.ts";
import type { Digest } from "../oci/digest.ts";
import { isForeignLayerType } from "../oci/media-type.ts";
import type { Source, Step } from "../store/backend.ts";
import { bytesContent, Store } from "../store/store.ts";
import type { Appended } from "./append.ts";
import type { Layer } from "./layer.ts";

/**
 * The steps of copying what `append` made: new content from where it lies, layers of the base from `base`, so that they
 * can be mounted or linked. Children come before parents. Foreign layers are not distributed and left out.
 */
export async function* appendSteps(
  appended: Appended,
  layers: readonly Layer[],
  base: Store | undefined,
): AsyncGenerator<Step> {
  const contents = new Map<Digest, Content>(layers.map(({ descriptor, content }) => [descriptor.digest, content]));
  const made = new Store(new NewContent(contents));
  for (const { manifest, config, layers } of appended.images) {
    const wanted = layers.filter(({ mediaType }) => !isForeignLayerType(mediaType));
    for (const descriptor of wanted) {
      const source = contents.has(descriptor.digest) ? made : base;
      if (source) yield { kind: "blob", role: "layer", descriptor, source, needs: [] };
    }
    contents.set(config.descriptor.digest, bytesContent(config.bytes));
    yield { kind: "blob", role: "config", descriptor: config.descriptor, source: made, needs: [] };
    contents.set(manifest.descriptor.digest, bytesContent(manifest.bytes));
    const needs = [...new Set([...wanted, config.descriptor].map(({ digest }) => digest))];
    const role = manifest === appended.root ? "root" : "manifest";
    yield { kind: "manifest", role, descriptor: manifest.descriptor, source: made, manifest, needs };
  }
  const { root } = appended;
  if (contents.has(root.descriptor.digest)) return;
  contents.set(root.descriptor.digest, bytesContent(root.bytes));
  const needs = appended.images.map(({ manifest }) => manifest.descriptor.digest);
  yield { kind: "manifest", role: "root", descriptor: root.descriptor, source: made, manifest: root, needs };
}

/** Content that was just made, in memory and in files; it is read by digest and never listed. */
class NewContent implements Source {
  readonly name = "the new image";
  readonly location = undefined;
  readonly #contents: ReadonlyMap<Digest, Content>;

  constructor(contents: ReadonlyMap<Digest, Content>) {
    this.#contents = contents;
  }

  async read(_kind: unknown, digest: Digest): Promise<Content | undefined> {
    return this.#contents.get(digest);
  }

  async resolve(): Promise<undefined> {
    return undefined;
  }

  async stat(): Promise<undefined> {
    return undefined;
  }

  async *list(): AsyncGenerator<never> {}

  async referrers(): ReturnType<Source["referrers"]> {
    return { via: "index", entries: this.list() };
  }

  async close(): Promise<void> {}
}
