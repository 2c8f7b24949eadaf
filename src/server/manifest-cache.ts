import type { RawManifest } from "../store/backend.ts";

/** Manifests that were read and checked, by place and state of the place; the least recently used go first. */
export class ManifestCache {
  readonly #maxBytes: number;
  readonly #entries = new Map<string, { readonly stamp: string; readonly manifest: RawManifest }>();
  #bytes = 0;

  /** Keeps at most `maxBytes` of manifests, 64 MiB unless told. */
  constructor(maxBytes = 64 * 1024 * 1024) {
    this.#maxBytes = maxBytes;
  }

  /** What was put under the key while the place was in the state that `stamp` names. */
  get(key: string, stamp: string): RawManifest | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined || entry.stamp !== stamp) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry.manifest;
  }

  put(key: string, stamp: string, manifest: RawManifest): void {
    this.#drop(key);
    this.#entries.set(key, { stamp, manifest });
    this.#bytes += cost(key, manifest);
    for (const oldest of this.#entries.keys()) {
      if (this.#bytes <= this.#maxBytes) break;
      this.#drop(oldest);
    }
  }

  #drop(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    this.#bytes -= cost(key, entry.manifest);
  }
}

/** Bytes, with what an entry costs besides its document. */
function cost(key: string, manifest: RawManifest): number {
  return manifest.bytes.byteLength + 2 * key.length + 500;
}
