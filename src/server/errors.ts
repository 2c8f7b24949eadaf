import type { ServerResponse } from "../core/ports.ts";

/** The codes of distribution-spec v1.1.1, "Error Codes", that this registry answers with. */
export type RegistryCode =
  | "BLOB_UNKNOWN"
  | "BLOB_UPLOAD_INVALID"
  | "BLOB_UPLOAD_UNKNOWN"
  | "DENIED"
  | "DIGEST_INVALID"
  | "MANIFEST_BLOB_UNKNOWN"
  | "MANIFEST_INVALID"
  | "MANIFEST_UNKNOWN"
  | "NAME_INVALID"
  | "NAME_UNKNOWN"
  | "SIZE_INVALID"
  | "TOOMANYREQUESTS"
  | "UNAUTHORIZED"
  | "UNSUPPORTED";

/** One entry of an answer's `errors` list. */
export interface RegistryProblem {
  readonly code: RegistryCode;
  readonly message: string;
  readonly detail?: unknown;
}

/** A request that is refused: thrown anywhere below the dispatch, which answers it as the specification says. */
export class Refusal extends Error {
  override readonly name = "Refusal";
  readonly status: number;
  readonly problems: readonly RegistryProblem[];
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, problems: readonly RegistryProblem[], headers: Readonly<Record<string, string>> = {}) {
    super(problems[0]?.message);
    this.status = status;
    this.problems = problems;
    this.headers = headers;
  }
}

/** A refusal with one problem. */
export function refusal(
  status: number,
  code: RegistryCode,
  message: string,
  details: { readonly detail?: unknown; readonly headers?: Readonly<Record<string, string>> } = {},
): Refusal {
  const problem = details.detail === undefined ? { code, message } : { code, message, detail: details.detail };
  return new Refusal(status, [problem], details.headers);
}

/** The answer to a refused request: distribution-spec v1.1.1, "Error Codes". */
export function refusalResponse(refused: Refusal): ServerResponse {
  return {
    ...jsonResponse(refused.status, { errors: refused.problems }),
    headers: { "content-type": "application/json", ...refused.headers },
  };
}

/** An answer whose body is JSON. */
export function jsonResponse(
  status: number,
  value: unknown,
  headers: Readonly<Record<string, string | readonly string[]>> = {},
): ServerResponse {
  return {
    status,
    headers: { "content-type": "application/json", ...headers },
    body: new TextEncoder().encode(JSON.stringify(value)),
  };
}
