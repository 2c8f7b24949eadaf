import type { Place, Problem } from "../core/error.ts";
import { checkManifest } from "./check.ts";
import { fail, readYaml } from "./document.ts";
import { formatPath, type Path } from "./path.ts";
import type { LibraryManifest } from "./schema.ts";

/** A manifest as read from a file, with what its text says beyond the values. */
export interface LoadedManifest {
  /** Defaults are filled in; `isWritten` tells them from what the file says. */
  readonly value: LibraryManifest;
  readonly file: string;
  readonly text: string;
  /** Where the value at `path` stands in the file; of a default, the nearest mapping around it. */
  at(path: Path): Place;
  /** Whether the file itself says something at `path`, as opposed to a default. */
  isWritten(path: Path): boolean;
}

/**
 * The library manifest in `source`, which is called `file` in messages. Throws `invalid-manifest-file` with every
 * problem at once, each with line, column, path, the offending value and a hint.
 */
export function loadManifest(source: string | Uint8Array, file: string): LoadedManifest {
  const document = readYaml(source, file);
  if (typeof document.value !== "object" || document.value === null || Array.isArray(document.value)) {
    const what = document.value === null ? "empty" : Array.isArray(document.value) ? "a list" : "one value";
    fail(file, [
      { message: `the file is ${what}, expected a mapping`, hint: 'Run "library init"', line: 1, column: 1 },
    ]);
  }
  const { manifest, problems } = checkManifest(document.value, document.source);
  if (manifest === undefined) {
    const placed = problems.map(({ path, of, message, hint }): Problem => {
      const place = document.at(path, of === "value" ? "value" : "key");
      return { ...place, path: formatPath(path), message, hint };
    });
    fail(
      file,
      placed.sort((a, b) => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0)),
    );
  }
  return {
    value: manifest,
    file,
    text: document.text,
    at: (path) => document.at(path),
    isWritten: (path) => document.has(path),
  };
}
