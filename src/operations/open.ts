import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import type { Context } from "../core/context.ts";
import { LibraryError, UnsupportedError } from "../core/error.ts";
import type { Manifest } from "../oci/manifest.ts";
import type { PlatformPattern } from "../oci/platform.ts";
import { formatLocation, formatReference, type Location, type Reference } from "../oci/reference.ts";
import type { RegistrySession } from "../registry/session.ts";
import type { Backend, Source, Target } from "../store/backend.ts";
import { selectPlatforms } from "../store/select-platforms.ts";
import { Store } from "../store/store.ts";

const sessions = new WeakMap<Context, RegistrySession>();

/** The session that all registries of this run share: credentials, tokens and what is known of each host. */
export async function registrySession(context: Context): Promise<RegistrySession> {
  const known = sessions.get(context);
  if (known) return known;
  const { createRegistrySession } = await import("../registry/session.ts");
  const session = createRegistrySession(context);
  sessions.set(context, session);
  return session;
}

/** The place, to be read and written. Throws `unsupported` for an archive, which can only be read whole or written whole. */
export async function openBackend(context: Context, location: Location): Promise<Backend> {
  switch (location.kind) {
    case "registry": {
      const { RegistryBackend } = await import("../registry/backend.ts");
      return new RegistryBackend(location, await registrySession(context));
    }
    case "layout": {
      const { LayoutBackend } = await import("../store/layout.ts");
      return new LayoutBackend(resolve(context.cwd, location.path), context, { name: formatLocation(location) });
    }
    case "archive":
      throw new UnsupportedError(`Cannot change ${formatLocation(location)}: an archive is written in one piece`, {
        hint: `Copy it to a layout first: "library copy ${formatLocation(location)} oci:DIR"`,
      });
  }
}

/** The place to read from, made safe. The caller closes it. */
export async function openSource(context: Context, location: Location): Promise<Store> {
  return new Store(await openReadable(context, location));
}

/**
 * The place to write to. An archive can only be written whole: where one is there already and `replace` is not given,
 * throws `already-exists`.
 */
export async function openTarget(
  context: Context,
  location: Location,
  options: { readonly replace: boolean } = { replace: true },
): Promise<Target> {
  if (location.kind !== "archive") return openBackend(context, location);
  const path = resolve(context.cwd, location.path);
  const name = formatLocation(location);
  if (!options.replace && (await isFile(path))) {
    throw new LibraryError("already-exists", `Cannot write ${name}: it is there, and an archive cannot be added to`, {
      hint: "Give --force to replace it, or name another file",
    });
  }
  const { ArchiveTarget } = await import("../store/archive-target.ts");
  return new ArchiveTarget(path, context, { name });
}

async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile(),
    () => false, // Whatever is in the way is told when it is written to
  );
}

/** What a reference names, and the store it is in. */
export interface Opened {
  readonly store: Store;
  readonly root: Manifest;
}

/**
 * Runs `body` with what the reference names, narrowed to the platforms asked for, and closes the place after.
 * Throws `not-found` where there is no such manifest or platform.
 */
export async function withReference<T>(
  context: Context,
  reference: Reference,
  platforms: readonly PlatformPattern[],
  body: (opened: Opened) => Promise<T>,
): Promise<T> {
  const store = await openSource(context, reference.location);
  try {
    const whole = await store.resolve(reference.digest ?? reference.tag, context);
    const { root, source } = await selectPlatforms(store, whole, platforms, context);
    return await body({ store: source, root });
  } finally {
    await store.close();
  }
}

/** The reference by digest: `host/repository@digest`, `oci:DIR@digest`. */
export function pinned(location: Location, manifest: Manifest): string {
  return formatReference({ location, digest: manifest.descriptor.digest });
}

async function openReadable(context: Context, location: Location): Promise<Source> {
  if (location.kind !== "archive") return openBackend(context, location);
  const { ArchiveSource } = await import("../store/archive-source.ts");
  return new ArchiveSource(resolve(context.cwd, location.path), context, { name: formatLocation(location) });
}
