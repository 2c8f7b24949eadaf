import { join } from "node:path";
import type { Event } from "../core/event.ts";
import type { Hash, Lock, Random, ServeOptions } from "../core/ports.ts";
import { LayoutBackend } from "../store/layout.ts";
import { htpasswd } from "./auth.ts";
import { createDistribution } from "./distribution.ts";
import { Storage } from "./storage.ts";
import { Uploads } from "./uploads.ts";

/** What a registry needs of the outside world. */
export interface RegistryPorts {
  readonly lock: Lock;
  readonly hash: Hash;
  readonly random: Random;
  readonly now: () => Date;
  readonly emit: (event: Event) => void;
}

/** What the registry lets its clients do. */
export interface RegistryOptions {
  readonly readOnly?: boolean;
  /** An htpasswd file, read; without it everybody may do everything. */
  readonly htpasswd?: { readonly file: string; readonly text: string };
}

/** The handler of a registry over the layouts below the folder `root`; uploads lie in `root/.uploads`. */
export function createRegistry(
  root: string,
  ports: RegistryPorts,
  options: RegistryOptions = {},
): ServeOptions["handler"] {
  const { random, now, emit } = ports;
  const credentials = options.htpasswd;
  return createDistribution({
    storage: new Storage(root, { openLayout: (path) => new LayoutBackend(path, ports), hash: ports.hash }),
    uploads: new Uploads(join(root, ".uploads"), { random, now }),
    readOnly: options.readOnly ?? false,
    emit,
    ...(credentials
      ? { authenticate: htpasswd(credentials.text, { file: credentials.file, cacheKey: random.hex(32), now }) }
      : {}),
  });
}
