import * as v from "valibot";
import { RegistryError } from "../core/error.ts";
import type { ErrorCode } from "../core/error-codes.ts";
import { parseJson } from "../core/json.ts";
import type { HttpBody, HttpResponse } from "../core/ports.ts";
import { printable, printableUrl } from "./printable.ts";

/** What a refusal is told about besides the response. */
export interface RefusedRequest {
  /** As in `push registry.example.org/app:1.2`: it follows "Cannot". */
  readonly purpose: string;
  readonly registry: string;
  /** Who answered, where it is not the registry itself. */
  readonly answering?: string;
  readonly method: string;
  readonly url: URL;
  /** Credentials were shown. */
  readonly authenticated: boolean;
}

const maxBodyBytes = 16 * 1024;
const maxShown = 1024;
const errorsSchema = v.looseObject({
  errors: v.array(v.looseObject({ code: v.optional(v.string()), message: v.optional(v.nullable(v.string())) })),
});

/**
 * The error that a response amounts to; its body is read, at most 16 KiB, of which 1 KiB is shown. Code `unauthorized`
 * for 401 and 403, `not-found` for 404, else `registry-error`. distribution-spec v1.1.1, "Error Codes".
 */
export async function registryError(response: HttpResponse, request: RefusedRequest): Promise<RegistryError> {
  const { status, headers } = response;
  const { codes, message } = readErrors(await readStart(response.body, maxBodyBytes));
  const requestId = requestIdNames.map((name) => headers.get(name)).find((value) => value);
  const said = [String(status), ...codes.slice(0, 1)].join(" ");
  const code: ErrorCode =
    status === 401 || status === 403 ? "unauthorized" : status === 404 ? "not-found" : "registry-error";
  return new RegistryError(
    code,
    `Cannot ${request.purpose}: ${request.answering ?? request.registry} answered ${said}${message === "" ? "" : `: ${message}`}`,
    {
      status,
      codes,
      request: `${request.method} ${printableUrl(request.url)}`,
      ...(requestId ? { requestId: printable(requestId, 128) } : {}),
    },
    { hint: hintFor(status, request) },
  );
}

const requestIdNames = ["x-request-id", "x-amz-request-id", "x-ms-request-id", "x-correlation-id", "cf-ray"];

function hintFor(status: number, request: RefusedRequest): string | undefined {
  if (status === 401) {
    return request.authenticated
      ? `Log in again with "library login ${request.registry}"; the credentials in use were not accepted`
      : `Run "library login ${request.registry}"`;
  }
  if (status === 403) return `Ask for the right to do this on ${request.registry}, or log in with another account`;
  if (status === 429) return "Try again later, or log in: registries often allow more to accounts";
  return undefined;
}

interface Errors {
  readonly codes: readonly string[];
  readonly message: string;
}

function readErrors(bytes: Uint8Array): Errors {
  const listed = parseErrors(bytes);
  if (!listed) {
    const text = new TextDecoder().decode(bytes);
    // A page for browsers says nothing in one line
    return { codes: [], message: /^\s*<(?:!doctype|html|\?xml)/i.test(text) ? "" : printable(text, maxShown) };
  }
  const codes = listed.map((error) => printable(error.code ?? "", 64)).filter((code) => code !== "");
  const messages = listed.map((error) => error.message ?? "").filter((message) => message !== "");
  return { codes: codes.slice(0, 16), message: printable(messages.join("; "), maxShown) };
}

function parseErrors(bytes: Uint8Array): v.InferOutput<typeof errorsSchema>["errors"] | undefined {
  try {
    const parsed = v.safeParse(errorsSchema, parseJson(bytes, "the answer", { maxBytes: maxBodyBytes }));
    return parsed.success ? parsed.output.errors : undefined;
  } catch {
    // Any body is allowed with an error: what is no JSON is shown as text
    return undefined;
  }
}

/** The first bytes of a body, which may be endless or end early. */
async function readStart(body: HttpBody, limit: number): Promise<Uint8Array> {
  const reader = body.stream().getReader();
  const kept = new Uint8Array(limit);
  let size = 0;
  try {
    while (size < limit) {
      const { done, value } = await reader.read();
      if (done) break;
      const part = value.subarray(0, limit - size);
      kept.set(part, size);
      size += part.byteLength;
    }
  } catch {
    // The status is the message; a body that broke off adds less to it
  }
  await reader.cancel().catch(() => undefined);
  return kept.subarray(0, size);
}
