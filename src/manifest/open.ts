import { createHash } from "node:crypto";
import { open, stat } from "node:fs/promises";
import { dirname, isAbsolute, join, resolve } from "node:path";
import * as v from "valibot";
import { InvalidInputError, LibraryError } from "../core/error.ts";
import type { Digest } from "../oci/digest.ts";
import { defaultManifestPath } from "./defaults.ts";
import { maxYamlBytes, readYaml } from "./document.ts";
import { type LoadedManifest, loadManifest } from "./load.ts";
import { type LibraryManifest, manifestSchema } from "./schema.ts";

/** A manifest and the files that it speaks of; all paths are absolute. */
export interface OpenedManifest extends LoadedManifest {
  readonly manifestPath: string;
  /** The manifest's own folder, from which its relative paths count. */
  readonly directory: string;
  readonly contextPath: string;
  readonly dockerfilePath: string;
  /** sha256 of the manifest file's bytes: tells whether a build is older than its manifest. */
  readonly digest: Digest;
}

/**
 * The manifest at `path`, relative to `cwd`: a file, or a folder that holds `.library.manifest.yaml`, by default `cwd`
 * itself. Nothing else that it names needs to exist. Throws `invalid-manifest-file` where there is none, or none that can be used, with every problem.
 */
export async function openManifest(path: string | undefined, cwd: string): Promise<OpenedManifest> {
  const name = path === undefined ? defaultManifestPath : await fileName(path, cwd);
  const manifestPath = resolve(cwd, name);
  const bytes = await readBounded(manifestPath, name);
  const loaded = loadManifest(bytes, name);
  const digest: Digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
  return { ...loaded, manifestPath, digest, ...manifestFiles(manifestPath, loaded.value) };
}

async function fileName(path: string, cwd: string): Promise<string> {
  // What is not there is told when it is read
  const found = await stat(resolve(cwd, path)).catch(() => undefined);
  return found?.isDirectory() ? join(path, defaultManifestPath) : path;
}

/** Where the build files are that a manifest names, and where it names them. */
export interface NamedFiles
  extends Pick<OpenedManifest, "file" | "directory" | "contextPath" | "dockerfilePath" | "at"> {
  readonly build: Pick<LibraryManifest["build"], "context" | "file">;
}

/**
 * The files that a manifest names which `openManifest` refuses, so that they can be checked together with its text;
 * undefined where those keys cannot be read.
 */
export async function namedFiles(path: string | undefined, cwd: string): Promise<NamedFiles | undefined> {
  const name = path === undefined ? defaultManifestPath : await fileName(path, cwd);
  const manifestPath = resolve(cwd, name);
  try {
    const document = readYaml(await readBounded(manifestPath, name), name);
    const section = v.safeParse(v.object({ build: buildFiles }), document.value);
    if (!section.success) return undefined;
    const { build } = section.output;
    return { file: name, build, at: (key) => document.at(key), ...manifestFiles(manifestPath, { build }) };
  } catch (error) {
    if (error instanceof InvalidInputError) return undefined;
    throw error;
  }
}

const { context, file } = manifestSchema.entries.build.entries;
const buildFiles = v.object({ context, file });

/** The folder of the manifest at `manifestPath`, its build context, and its Dockerfile: absolute, or joined to the context. */
function manifestFiles(
  manifestPath: string,
  { build }: Pick<NamedFiles, "build">,
): Pick<OpenedManifest, "directory" | "contextPath" | "dockerfilePath"> {
  const directory = dirname(manifestPath);
  const contextPath = resolve(directory, build.context);
  const dockerfilePath = isAbsolute(build.file) ? build.file : resolve(contextPath, build.file);
  return { directory, contextPath, dockerfilePath };
}

/** At most one byte more than a manifest may have, of a regular file: a pipe or a device is never opened. */
export async function readBounded(path: string, name: string): Promise<Uint8Array> {
  try {
    const found = await stat(path);
    if (!found.isFile()) throw unreadable(name, "not a file");
    if (found.size > maxYamlBytes) {
      throw unreadable(name, `the file has ${found.size} bytes, expected at most ${maxYamlBytes}`);
    }
    const file = await open(path, "r");
    try {
      const buffer = new Uint8Array(maxYamlBytes + 1);
      let length = 0;
      for (;;) {
        const { bytesRead } = await file.read(buffer, length, buffer.byteLength - length, length);
        length += bytesRead;
        if (bytesRead === 0 || length === buffer.byteLength) break;
      }
      // One that grew since stat is refused by the reader of YAML
      return buffer.slice(0, length);
    } finally {
      await file.close();
    }
  } catch (cause) {
    if (cause instanceof LibraryError) throw cause;
    const code = errorCode(cause);
    if (code === "ENOENT" || code === "ENOTDIR")
      throw unreadable(name, "there is no such file", 'Run "library init"', cause);
    throw unreadable(name, code ?? "the file cannot be read", "Check the file and its permissions", cause);
  }
}

function unreadable(name: string, problem: string, hint?: string, cause?: unknown): InvalidInputError {
  const problems = [{ file: name, message: problem, hint }];
  return new InvalidInputError(`Cannot read ${name}: ${problem}`, {
    code: "invalid-manifest-file",
    problems,
    hint,
    cause,
  });
}

function errorCode(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}
