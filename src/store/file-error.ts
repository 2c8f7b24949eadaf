import { LibraryError } from "../core/error.ts";

/** What a file system's error codes say, in the words of messages. */
const states: Readonly<Record<string, string>> = {
  ENOSPC: "no space left on the device",
  EDQUOT: "the disk quota is used up",
  EROFS: "the file system is read-only",
  EACCES: "permission denied",
  EPERM: "operation not permitted",
  ENOENT: "no such file or folder",
  ENOTDIR: "a part of the path is not a folder",
  EISDIR: "a folder",
  EMFILE: "too many open files",
  ENFILE: "too many open files",
  EIO: "the device failed",
  EFBIG: "the file would be larger than is allowed",
  ENAMETOOLONG: "the name is too long",
  ELOOP: "a symbolic link, expected a regular file",
};

const hints: Readonly<Record<string, string>> = {
  ENOSPC: "Free some space and run the same command again",
  EDQUOT: "Free some space and run the same command again",
  EROFS: "Choose a place that can be written to",
  EACCES: "Check the owner and the permissions of the path",
};

/** An `io-error` for a failed call of the file system, naming `path` and why; errors of the program pass unchanged. */
export function fileError(verb: string, path: string, cause: unknown): unknown {
  if (cause instanceof LibraryError) return cause;
  const code = errorCode(cause);
  if (code === undefined) return cause; // An abort's reason, or a bug: not ours to reword
  return new LibraryError("io-error", `Cannot ${verb} ${path}: ${states[code] ?? code}`, { hint: hints[code], cause });
}

/** Runs `body` with its file system errors reworded by `fileError`. */
export async function namingFile<T>(verb: string, path: string, body: () => Promise<T>): Promise<T> {
  try {
    return await body();
  } catch (cause) {
    throw fileError(verb, path, cause);
  }
}

/** The code of a file system's error, as `ENOENT`; undefined for any other value. */
export function errorCode(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null || !("code" in error)) return undefined;
  return typeof error.code === "string" && /^E[A-Z0-9]+$/.test(error.code) ? error.code : undefined;
}
