import { lstatSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { Hash } from "../core/ports.ts";
import { layoutFile } from "../oci/layout.ts";
import type { Backend } from "../store/backend.ts";
import { refusal } from "./errors.ts";
import { ManifestCache } from "./manifest-cache.ts";
import { Repository } from "./repository.ts";
import { isStorable } from "./route.ts";

/** What a storage needs from outside. */
export interface StorageOptions {
  /** Opens the layout at a path, which need not be there yet. */
  readonly openLayout: (path: string) => Backend;
  readonly hash: Hash;
}

const maxOpen = 1000;
/** Layouts that are just being made, or were when their process died. */
const unfinished = /\.[0-9a-f]{16}\.tmp$/;

/** One OCI layout a repository below a root folder, each as any other tool would find or make it. */
export class Storage {
  readonly #root: string;
  readonly #options: StorageOptions;
  readonly #cache = new ManifestCache();
  readonly #open = new Map<string, Repository>();

  constructor(root: string, options: StorageOptions) {
    this.#root = root;
    this.#options = options;
  }

  /**
   * The repository, if there is a layout of this name; the name was checked by `isStorable`. A folder that a symbolic
   * link below the root leads to is none: it may lie outside of what is served.
   */
  find(name: string): Repository | undefined {
    const path = join(this.#root, name, layoutFile);
    if (!lstatSync(path, { throwIfNoEntry: false })?.isFile() || this.#isLinked(name)) return undefined;
    return this.#repository(name);
  }

  /**
   * The repository of this name, whose layout is made with the first content that is put there. Throws a Refusal, 404
   * NAME_UNKNOWN, where a symbolic link leads to its folder.
   */
  at(name: string): Repository {
    if (!this.#isLinked(name)) return this.#repository(name);
    throw refusal(404, "NAME_UNKNOWN", "there is no such repository", { detail: { name } });
  }

  /** Whether any folder of the name is a symbolic link; the root may be one. */
  #isLinked(name: string): boolean {
    let path = this.#root;
    for (const part of name.split("/")) {
      path = join(path, part);
      const found = lstatSync(path, { throwIfNoEntry: false });
      if (found === undefined) return false;
      if (found.isSymbolicLink()) return true;
    }
    return false;
  }

  #repository(name: string): Repository {
    const known = this.#open.get(name);
    if (known) return known;
    for (const oldest of this.#open.keys()) {
      if (this.#open.size < maxOpen) break;
      this.#open.delete(oldest);
    }
    const path = join(this.#root, name);
    const repository = new Repository(path, this.#options.openLayout(path), this.#options.hash, this.#cache);
    this.#open.set(name, repository);
    return repository;
  }

  /** The names of all repositories in the order of their code points. Folders that are links are not walked. */
  async names(): Promise<readonly string[]> {
    const names: string[] = [];
    await this.#walk("", names);
    return names.sort();
  }

  async #walk(name: string, names: string[]): Promise<void> {
    const entries = await readdir(join(this.#root, name), { withFileTypes: true });
    if (name !== "" && entries.some((entry) => entry.name === layoutFile && entry.isFile())) names.push(name);
    for (const entry of entries) {
      const below = name === "" ? entry.name : `${name}/${entry.name}`;
      if (entry.isDirectory() && isStorable(below) && !unfinished.test(below)) await this.#walk(below, names);
    }
  }
}
