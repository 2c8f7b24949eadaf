import type { Manifest } from "../../src/oci/manifest.ts";
import { parseExplicitReference } from "../../src/oci/reference.ts";
import { openSource, openTarget } from "../../src/operations/open.ts";
import { copy } from "../../src/store/copy.ts";
import type { MemoryBackend } from "../../src/store/memory.ts";
import { Store } from "../../src/store/store.ts";
import { walk } from "../../src/store/walk.ts";
import type { Faults } from "./faults.ts";
import type { FixedContext, FixedWorld } from "./fixed-context.ts";
import { withFolder } from "./folder.ts";
import { withRealContext } from "./real-context.ts";
import { startTestRegistry, type TestRegistry } from "./registry.ts";

/** What a test of a verb says of the world. */
export interface PlacesWorld extends Omit<FixedWorld, "cwd"> {
  readonly faults?: Faults;
  /** Name and password of the registry's users. */
  readonly users?: Readonly<Record<string, string>>;
  /** Files in the working directory. */
  readonly files?: Readonly<Record<string, string | Uint8Array>>;
}

/** Places to keep images in, and what operations need. */
export interface Places {
  readonly registry: TestRegistry;
  /** Waits take no time. */
  readonly context: FixedContext;
  /** The working directory. */
  readonly folder: string;
  /** Copies a manifest with all below and around it to a place, under the reference's tag if it has one. */
  seed(reference: string, backend: MemoryBackend, manifest: Manifest): Promise<void>;
  /** What a reference names, as `Store.resolve` tells it. */
  resolved(reference: string): Promise<Manifest>;
  /** The digests of everything below and around what a reference names, each blob read and checked, sorted. */
  digests(reference: string): Promise<readonly string[]>;
}

/** Runs `body` with a registry, an empty folder and a context; all are gone after. */
export async function withPlaces(world: PlacesWorld, body: (places: Places) => Promise<void>): Promise<void> {
  const { faults = {}, users = {}, files = {}, ...rest } = world;
  const registry = await startTestRegistry({ faults, users });
  try {
    await withFolder(files, (folder) =>
      withRealContext({ ...rest, cwd: folder }, async (real) => {
        const context = { ...real, sleep: async () => {} };
        await body({ registry, context, folder, ...readers(context) });
      }),
    );
  } finally {
    await registry.stop();
  }
}

function readers(context: FixedContext): Pick<Places, "seed" | "resolved" | "digests"> {
  async function reading<T>(reference: string, use: (store: Store, root: Manifest) => Promise<T>): Promise<T> {
    const { location, tag, digest } = parseExplicitReference(reference);
    const store = await openSource(context, location);
    try {
      return await use(store, await store.resolve(digest ?? tag, context));
    } finally {
      await store.close();
    }
  }
  return {
    async seed(reference, backend, manifest) {
      const { location, tag } = parseExplicitReference(reference);
      const plan = walk(new Store(backend), [manifest], { referrers: "all" }, context);
      const entries = [tag === undefined ? { manifest } : { manifest, tag }];
      await copy(plan, await openTarget(context, location), { entries }, context);
    },
    resolved: (reference) => reading(reference, async (_, root) => root),
    digests: (reference) =>
      reading(reference, async (store, root) => {
        const found: string[] = [];
        for await (const { kind, descriptor } of walk(store, [root], { referrers: "all" }, context)) {
          await store.bytes(kind, descriptor, 1e8, context);
          found.push(descriptor.digest);
        }
        return found.sort();
      }),
  };
}
