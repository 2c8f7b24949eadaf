import { type ErrorCode, type ExitStatus, errorCodes } from "./error-codes.ts";

/** What an error carries besides its message; everything is optional. */
export interface ErrorDetails {
  /** The next step, as an imperative that can be run. */
  readonly hint?: string | undefined;
  readonly cause?: unknown;
}

/** An error that the program expects and explains: `code` is stable, the message follows docs/conventions. */
export class LibraryError extends Error {
  override readonly name: string = "LibraryError";
  readonly code: ErrorCode;
  readonly hint: string | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.hint = details.hint;
  }

  /** The status with which the process ends when this error ends it. */
  get exitStatus(): ExitStatus {
    return errorCodes[this.code].exitStatus;
  }
}

/** The command line or a value on it is wrong: code `usage` unless a more exact one is given. */
export class UsageError extends LibraryError {
  override readonly name = "UsageError";
  constructor(message: string, details: ErrorDetails & { readonly code?: ErrorCode } = {}) {
    super(details.code ?? "usage", message, details);
  }
}

/** A place in a file that the user wrote; line and column count from 1. */
export interface Place {
  readonly file?: string | undefined;
  readonly line?: number | undefined;
  readonly column?: number | undefined;
}

/** One problem of an input; several are reported at once. */
export interface Problem extends Place {
  readonly message: string;
  /** The path inside the document, as `build.tags[0]`. */
  readonly path?: string | undefined;
  readonly hint?: string | undefined;
}

/** Input that the user wrote is wrong: carries every problem found, each with its place. */
export class InvalidInputError extends LibraryError {
  override readonly name = "InvalidInputError";
  readonly problems: readonly Problem[];
  constructor(
    message: string,
    details: ErrorDetails & { readonly code?: ErrorCode; readonly problems?: readonly Problem[] } = {},
  ) {
    super(details.code ?? "invalid-input", message, details);
    this.problems = details.problems ?? [];
  }
}

/** What was asked for is not in its place: code `not-found`. */
export class NotFoundError extends LibraryError {
  override readonly name = "NotFoundError";
  constructor(message: string, details: ErrorDetails = {}) {
    super("not-found", message, details);
  }
}

/** Content is not what its descriptor says: code `digest-mismatch` or `size-mismatch`. */
export class IntegrityError extends LibraryError {
  override readonly name = "IntegrityError";
}

/** What a registry said when it refused. */
export interface RegistryRefusal {
  readonly status: number;
  /** Codes from the body's `errors` list, as `MANIFEST_UNKNOWN`; at most 16. */
  readonly codes: readonly string[];
  readonly requestId?: string | undefined;
  /** Method and URL without query, userinfo or anything that could be signed. */
  readonly request: string;
}

/** A registry answered with an error: code `registry-error`, `unauthorized` or `not-found`. */
export class RegistryError extends LibraryError {
  override readonly name = "RegistryError";
  readonly refusal: RegistryRefusal;
  constructor(code: ErrorCode, message: string, refusal: RegistryRefusal, details: ErrorDetails = {}) {
    super(code, message, details);
    this.refusal = refusal;
  }
}

/** An outside program is not there: code `tool-missing`. */
export class ToolMissingError extends LibraryError {
  override readonly name = "ToolMissingError";
  constructor(message: string, details: ErrorDetails = {}) {
    super("tool-missing", message, details);
  }
}

/** The place or the content does not allow what was asked: code `unsupported` unless a more exact one is given. */
export class UnsupportedError extends LibraryError {
  override readonly name = "UnsupportedError";
  constructor(message: string, details: ErrorDetails & { readonly code?: ErrorCode } = {}) {
    super(details.code ?? "unsupported", message, details);
  }
}

/** Whether `error` is a LibraryError, of that code if one is given. */
export function isLibraryError(error: unknown, code?: ErrorCode): error is LibraryError {
  return error instanceof LibraryError && (code === undefined || error.code === code);
}
