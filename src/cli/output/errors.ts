import { InvalidInputError, LibraryError, type Problem, RegistryError } from "../../core/error.ts";
import type { ErrorCode } from "../../core/error-codes.ts";
import type { TextStyle } from "../command.ts";
import { redacted, visible, visibleLine } from "./visible.ts";

/** One error or one problem, as the envelope lists it. */
export interface ErrorEntry {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint?: string;
  readonly file?: string;
  readonly line?: number;
  readonly column?: number;
  /** The path inside the document, or the flag. */
  readonly path?: string;
  /** What a registry answered. */
  readonly registry?: {
    readonly status: number;
    readonly codes: readonly string[];
    readonly requestId?: string;
    readonly request: string;
  };
}

/** Whatever was thrown, as an error with a code: a failing system call is `io-error`, anything unknown is `internal`. */
export function toLibraryError(thrown: unknown, command: string): LibraryError {
  if (thrown instanceof LibraryError) return thrown;
  if (!isSystemError(thrown)) return internalError(thrown, command);
  const message = `Cannot finish "${fullName(command)}": ${messageOf(thrown)}`;
  return new LibraryError("io-error", message, { cause: thrown });
}

/** What was thrown, as a bug of this program: code `internal`. */
export function internalError(thrown: unknown, command: string): LibraryError {
  const message = `Cannot finish "${fullName(command)}": internal error: ${messageOf(thrown)}`;
  return new LibraryError("internal", message, {
    hint: "Report this as a bug, with the command line and what it prints with --debug",
    cause: thrown,
  });
}

/** The entries of the envelope: one for the error, or one for each of its problems. */
export function errorEntries(error: LibraryError): readonly ErrorEntry[] {
  if (error instanceof InvalidInputError && error.problems.length > 0) {
    return error.problems.map((problem) => ({
      code: error.code,
      message: redacted(problem.message),
      ...hintEntry(problem.hint ?? error.hint),
      ...placeEntry(problem),
    }));
  }
  const refusal = error instanceof RegistryError ? { registry: registryEntry(error) } : {};
  return [{ code: error.code, message: redacted(error.message), ...hintEntry(error.hint), ...refusal }];
}

/** The lines for standard error, with a line end; with `debug` the causes and stacks too. */
export function renderError(error: LibraryError, style: TextStyle, options: { readonly debug: boolean }): string {
  const lines = [`${style.red("error:")} ${oneLine(error.message)}`];
  const problems = error instanceof InvalidInputError ? error.problems : [];
  const isTold = problems.length === 1 && problems.every((problem) => tells(error.message, problem));
  for (const problem of isTold ? [] : problems) {
    lines.push(`  ${problemLine(problem)}`);
    if (problem.hint !== undefined) lines.push(`    ${style.bold("hint:")} ${oneLine(problem.hint)}`);
  }
  const told = problems.map(({ hint }) => hint);
  const rest = isTold ? new Set([...told, error.hint]) : told.includes(error.hint) ? [] : [error.hint];
  for (const hint of rest) if (hint !== undefined) lines.push(`${style.bold("hint:")} ${oneLine(hint)}`);
  if (options.debug) {
    let thrown: unknown = error;
    for (let depth = 0; thrown instanceof Error && depth < 8; depth++) {
      lines.push(style.dim(visible(redacted(`${depth === 0 ? "" : "caused by: "}${thrown.stack ?? thrown.message}`))));
      thrown = thrown.cause;
    }
  }
  return `${lines.join("\n")}\n`;
}

/** The line of a warning, with a line end. */
export function renderWarning(message: string, style: TextStyle): string {
  return `${style.yellow("warning:")} ${oneLine(message)}\n`;
}

/** Whether the message says all that the problem says: it ends with it, and names its place. */
function tells(message: string, problem: Problem): boolean {
  return message.endsWith(problem.message) && message.includes(placeText(problem));
}

function placeText({ file, line, column }: Problem): string {
  return file === undefined ? "" : [file, line, column].filter((part) => part !== undefined).join(":");
}

function problemLine(problem: Problem): string {
  const { file, path } = problem;
  const place = file === undefined ? "" : `${placeText(problem)}: `;
  // A usage problem names its flag in the message already, most problems of a manifest their path
  const isNamed = file === undefined || path === undefined || path === "" || problem.message.startsWith(path);
  return oneLine(`${place}${isNamed ? "" : `${path}: `}${problem.message}`);
}

function oneLine(text: string): string {
  return visibleLine(redacted(text));
}

function hintEntry(hint: string | undefined): { hint?: string } {
  return hint === undefined ? {} : { hint: redacted(hint) };
}

function placeEntry({ file, line, column, path }: Problem) {
  return {
    ...(file === undefined ? {} : { file }),
    ...(line === undefined ? {} : { line }),
    ...(column === undefined ? {} : { column }),
    ...(path === undefined ? {} : { path }),
  };
}

function registryEntry({ refusal }: RegistryError) {
  const { status, codes, requestId, request } = refusal;
  return { status, codes, ...(requestId === undefined ? {} : { requestId }), request: redacted(request) };
}

// Not a bug of ours but the state of the machine: a full disk, a missing permission
const systemCodes: ReadonlySet<unknown> = new Set(
  "EACCES EBUSY EDQUOT EEXIST EIO EISDIR ELOOP EMFILE ENAMETOOLONG ENFILE ENOENT ENOSPC ENOTDIR ENOTEMPTY EPERM EROFS EXDEV".split(
    " ",
  ),
);

function isSystemError(thrown: unknown): boolean {
  return thrown instanceof Error && "syscall" in thrown && "code" in thrown && systemCodes.has(thrown.code);
}

function fullName(command: string): string {
  return command === "" ? "library" : `library ${command}`;
}

function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
