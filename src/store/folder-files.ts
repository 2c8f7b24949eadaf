import { lstatSync, type Stats, statSync } from "node:fs";
import { join } from "node:path";
import type { Content } from "../core/content.ts";
import { LibraryError, NotFoundError } from "../core/error.ts";
import { indexFile } from "../oci/layout.ts";
import type { FileLocation } from "../oci/reference.ts";
import { fileContent } from "./file-content.ts";
import { errorCode, fileError } from "./file-error.ts";
import type { LayoutFiles } from "./layout-files.ts";

/**
 * The files of a layout that is a folder; the folder itself may be reached through a symbolic link, nothing below it.
 * Looks are synchronous: several are made for every file, and waiting for each costs more than all of them.
 */
export class FolderFiles implements LayoutFiles {
  readonly name: string;
  readonly location: FileLocation;
  readonly #root: string;

  constructor(root: string, name = `oci:${root}`) {
    this.#root = root;
    this.name = name;
    this.location = { kind: "layout", path: root };
  }

  async open(path: string): Promise<Content | undefined> {
    const parts = path.split("/");
    for (let count = 1; count < parts.length; count++) {
      if (!this.#isFolder(parts.slice(0, count).join("/"))) return this.#absent();
    }
    const found = this.#entry(path);
    if (found === undefined) return this.#absent();
    if (!found.isFile()) throw this.#refusal(path, found, "a regular file");
    return fileContent(join(this.#root, path), found.size);
  }

  async version(): Promise<string> {
    const found = this.#entry(indexFile);
    return found ? `${found.ino} ${found.size} ${found.mtimeMs} ${found.ctimeMs}` : "";
  }

  async close(): Promise<void> {}

  #isFolder(path: string): boolean {
    const found = this.#entry(path);
    if (found && !found.isDirectory()) throw this.#refusal(path, found, "a folder");
    return found !== undefined;
  }

  #entry(path: string): Stats | undefined {
    const whole = join(this.#root, path);
    try {
      return lstatSync(whole, { throwIfNoEntry: false });
    } catch (cause) {
      if (errorCode(cause) === "ENOENT") return undefined;
      if (errorCode(cause) === "ENOTDIR") throw this.#notThere("not a folder");
      throw fileError("read", whole, cause);
    }
  }

  /** Undefined for a file that a layout lacks; where there is no folder at all, says so. */
  #absent(): undefined {
    try {
      if (statSync(this.#root).isDirectory()) return undefined;
    } catch (cause) {
      if (errorCode(cause) === "ENOENT") throw this.#notThere("there is no such folder");
      throw fileError("read", this.#root, cause);
    }
    throw this.#notThere("not a folder");
  }

  #notThere(state: string): LibraryError {
    const hint = state === "not a folder" ? `For a tar file, write "oci-archive:${this.#root}"` : undefined;
    return new NotFoundError(`Cannot open ${this.name}: ${state}`, { hint });
  }

  #refusal(path: string, found: Stats, expected: string): LibraryError {
    const is = found.isSymbolicLink() ? "a symbolic link" : found.isDirectory() ? "a folder" : "a special file";
    return new LibraryError("malformed-content", `Cannot read ${join(this.#root, path)}: ${is}, expected ${expected}`);
  }
}
