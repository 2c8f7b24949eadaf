import type { Io } from "../core/content.ts";
import { isLibraryError, LibraryError } from "../core/error.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import type { Digest } from "../oci/digest.ts";
import { type Edge, edges, type Role } from "../oci/edges.ts";
import type { Manifest } from "../oci/manifest.ts";
import { isForeignLayerType } from "../oci/media-type.ts";
import type { Step } from "./backend.ts";
import { limiter } from "./limit.ts";
import type { Store } from "./store.ts";

/** What to copy: choices are data. */
export interface WalkOptions {
  /** `all`: also what refers to any manifest of the graph, and what refers to that. */
  readonly referrers: "all" | "none";
  /** `skip`: members of an index that the source lacks are left out; `fail` is the default. */
  readonly missing?: "fail" | "skip";
  /** Leaves out the layers of images: for sparse layouts. */
  readonly sparse?: boolean;
  /** Whether everything below this manifest is to be taken as present: neither it nor its children are yielded. */
  readonly stopAt?: (manifest: Manifest) => Promise<boolean>;
}

/** Bounds that keep a hostile graph from filling memory. */
export const walkLimits = { depth: 8, manifests: 100_000, nodes: 1_000_000, referrersOfOne: 1000 } as const;

/** How many manifests are asked for at a time, ahead of the walk. */
const prefetch = 16;

/**
 * The steps of copying the graphs of `roots`: children before parents, each digest once, then the referrers of every
 * manifest met, with what is below them. Subjects are no children. Foreign layers (with `urls`) are not distributed and
 * left out. Throws `limit-exceeded` beyond `walkLimits`, and what reading throws.
 */
export async function* walk(
  source: Store,
  roots: readonly Manifest[],
  options: WalkOptions,
  io: Io,
): AsyncIterable<Step> {
  const run = new Walk(source, options, io);
  for (const root of roots) yield* run.graph(root, "root", 0);
  yield* run.referrers();
}

interface Found {
  readonly subject: Manifest;
  readonly referrers: Promise<readonly Manifest[]>;
}

class Walk {
  readonly #source: Store;
  readonly #options: WalkOptions;
  readonly #io: Io;
  readonly #seen = new Set<Digest>();
  readonly #found: Found[] = [];
  readonly #limit = limiter(prefetch);
  #manifests = 0;

  constructor(source: Store, options: WalkOptions, io: Io) {
    this.#source = source;
    this.#options = options;
    this.#io = io;
  }

  async *graph(manifest: Manifest, role: Role, depth: number): AsyncIterable<Step> {
    const { descriptor } = manifest;
    if (this.#seen.has(descriptor.digest)) return;
    this.#see(descriptor);
    this.#io.signal.throwIfAborted();
    if (depth > walkLimits.depth) throw tooMuch(descriptor, `nested deeper than ${walkLimits.depth} levels`);
    if (++this.#manifests > walkLimits.manifests) throw tooMuch(descriptor, `over ${walkLimits.manifests} manifests`);
    if (await this.#options.stopAt?.(manifest)) return;
    if (this.#options.referrers === "all") this.#lookForReferrers(manifest);
    const children = edges(manifest).filter((edge) => edge.role !== "subject" && this.#wanted(edge));
    const members = new Map(
      children
        .filter((edge) => edge.kind === "manifest")
        .map(({ descriptor }) => [descriptor.digest, this.#member(descriptor)]),
    );
    for (const edge of children) {
      const member = members.get(edge.descriptor.digest);
      if (member === undefined) yield* this.#blob(edge);
      else {
        const manifest = await member;
        if (manifest) yield* this.graph(manifest, edge.role, depth + 1);
      }
    }
    const needs = [...new Set(children.map((edge) => edge.descriptor.digest))];
    yield { kind: "manifest", role, descriptor, source: this.#source, manifest, needs };
  }

  async *referrers(): AsyncIterable<Step> {
    for (let found = this.#found.shift(); found; found = this.#found.shift()) {
      for (const manifest of await found.referrers) yield* this.graph(manifest, "referrer", 0);
    }
  }

  *#blob(edge: Edge): Iterable<Step> {
    if (this.#seen.has(edge.descriptor.digest)) return;
    this.#see(edge.descriptor);
    yield { ...edge, source: this.#source, needs: [] };
  }

  #wanted(edge: Edge): boolean {
    if (edge.role !== "layer") return true;
    return !this.#options.sparse && !isForeignLayerType(edge.descriptor.mediaType);
  }

  #see(descriptor: Descriptor): void {
    this.#seen.add(descriptor.digest);
    if (this.#seen.size > walkLimits.nodes) throw tooMuch(descriptor, `over ${walkLimits.nodes} nodes`);
  }

  #member(descriptor: Descriptor): Promise<Manifest | undefined> {
    const reading = this.#limit(async () => {
      try {
        return await this.#source.manifest(descriptor, this.#io);
      } catch (error) {
        if (this.#options.missing === "skip" && isLibraryError(error, "blob-missing")) return undefined;
        throw error;
      }
    });
    reading.catch(() => {}); // Awaited in document order; an earlier failure ends the walk first
    return reading;
  }

  #lookForReferrers(subject: Manifest): void {
    const referrers = this.#limit(() => this.#referrersOf(subject));
    referrers.catch(() => {}); // Awaited when the tree has been walked
    this.#found.push({ subject, referrers });
  }

  /** The referrers' manifests, those whose subject is another than listed left out: a listing is only a hint. */
  async #referrersOf(subject: Manifest): Promise<readonly Manifest[]> {
    const { entries } = await this.#source.referrers(subject.descriptor, {}, this.#io);
    const manifests: Manifest[] = [];
    for await (const descriptor of entries) {
      if (manifests.length >= walkLimits.referrersOfOne) {
        throw tooMuch(subject.descriptor, `over ${walkLimits.referrersOfOne} referrers`);
      }
      const manifest = await this.#source.manifest(descriptor, this.#io);
      if (manifest.value.subject?.digest === subject.descriptor.digest) manifests.push(manifest);
      else this.#warnStranger(descriptor, subject);
    }
    return manifests;
  }

  #warnStranger(descriptor: Descriptor, subject: Manifest): void {
    const message = `${descriptor.digest} is listed as a referrer of ${subject.descriptor.digest} but does not name it: left out`;
    this.#io.emit({ kind: "warning", code: "false-referrer", message });
  }
}

function tooMuch(descriptor: Descriptor, problem: string): LibraryError {
  return new LibraryError("limit-exceeded", `Cannot copy ${descriptor.digest}: ${problem}`);
}
