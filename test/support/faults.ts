import type { ServeOptions, ServerRequest, ServerResponse } from "../../src/core/ports.ts";
import { bytesContent, collect } from "../../src/store/store.ts";
import type { CutOptions } from "./relay.ts";
import type { TokenAuthOptions } from "./token-auth.ts";

/** What a test registry does wrong, or differently from ours. */
export interface Faults {
  /** No referrers API and no OCI-Subject, as distribution. */
  readonly noReferrersApi?: boolean;
  /** Every mount becomes an upload. */
  readonly noMount?: boolean;
  /** The first `times` requests get 429 with this Retry-After in seconds. */
  readonly tooManyRequests?: { readonly times: number; readonly retryAfter: number };
  /** The first `times` requests (of that method, if one is given) get this status, 503 unless told. */
  readonly serverErrors?: { readonly times: number; readonly status?: number; readonly method?: string };
  /** Bearer tokens by scope. */
  readonly tokenAuth?: TokenAuthOptions;
  /** Manifests and blobs come with one bit turned, in their right length. */
  readonly wrongDigest?: boolean;
  /** The bodies of the first `times` blobs break off in the middle. */
  readonly shortBody?: { readonly times: number };
  /** Blobs come by a redirect to another host. */
  readonly redirectBlobs?: boolean;
  /** Tag lists come at most so many at a time. */
  readonly pagedTags?: number;
  /** Connections are cut after so many bytes in either direction. */
  readonly cutConnections?: CutOptions;
  /** A tag cannot be deleted, as on distribution 2.8.2. */
  readonly noTagDelete?: boolean;
  /** The first `times` chunks are refused with 404, and their upload is gone. */
  readonly patchForgets?: { readonly times: number };
}

/** How often each fault fired. */
export type FaultCounts = Record<keyof Faults, number>;

/** Counts that all stand at 0. */
export function countingFaults(): FaultCounts {
  return {
    noReferrersApi: 0,
    noMount: 0,
    tooManyRequests: 0,
    serverErrors: 0,
    tokenAuth: 0,
    wrongDigest: 0,
    shortBody: 0,
    redirectBlobs: 0,
    pagedTags: 0,
    cutConnections: 0,
    noTagDelete: 0,
    patchForgets: 0,
  };
}

type Handler = ServeOptions["handler"];

/** The handler with these faults around it; `storageUrl` is where redirected blobs are served. */
export function withFaults(inner: Handler, faults: Faults, counts: FaultCounts, storageUrl?: string): Handler {
  return async (request) => {
    const refused = refuse(request, faults, counts);
    if (refused) return refused;
    if (isBlob(request) && storageUrl !== undefined && request.method === "GET") {
      counts.redirectBlobs++;
      return { status: 307, headers: { location: `${storageUrl}${request.target}?signature=secret` } };
    }
    if (faults.patchForgets && request.method === "PATCH" && counts.patchForgets < faults.patchForgets.times) {
      counts.patchForgets++;
      await collect(request.body(), Number.MAX_SAFE_INTEGER, "a chunk");
      await inner({ ...request, method: "DELETE" });
      return json(404, "BLOB_UPLOAD_UNKNOWN");
    }
    return alter(await inner({ ...request, target: rewrite(request, faults, counts) }), request, faults, counts);
  };
}

/** Faults that answer instead of the registry. */
function refuse(request: ServerRequest, faults: Faults, counts: FaultCounts): ServerResponse | undefined {
  const { tooManyRequests, serverErrors } = faults;
  if (tooManyRequests && counts.tooManyRequests < tooManyRequests.times) {
    counts.tooManyRequests++;
    return json(429, "TOOMANYREQUESTS", { "retry-after": String(tooManyRequests.retryAfter) });
  }
  const isMeant = serverErrors?.method === undefined || serverErrors.method === request.method;
  if (serverErrors && isMeant && counts.serverErrors < serverErrors.times) {
    counts.serverErrors++;
    return { status: serverErrors.status ?? 503, headers: { "content-type": "text/plain" }, body: text("try later") };
  }
  if (faults.noReferrersApi && request.target.includes("/referrers/")) {
    counts.noReferrersApi++;
    return { status: 404, headers: { "content-type": "text/plain" }, body: text("404 page not found\n") };
  }
  if (faults.noTagDelete && request.method === "DELETE" && /\/manifests\/[^:/]+$/.test(request.target)) {
    counts.noTagDelete++;
    return json(400, "DIGEST_INVALID");
  }
  return undefined;
}

/** Faults that change what is asked of the registry. */
function rewrite({ method, target }: ServerRequest, faults: Faults, counts: FaultCounts): string {
  const [path = "", search = ""] = target.split("?");
  const query = new URLSearchParams(search);
  if (faults.noMount && method === "POST" && query.has("mount")) {
    counts.noMount++;
    return path;
  }
  if (faults.pagedTags !== undefined && path.endsWith("/tags/list")) {
    counts.pagedTags++;
    query.set("n", String(Math.min(faults.pagedTags, Number(query.get("n") ?? faults.pagedTags))));
    return `${path}?${query}`;
  }
  return target;
}

/** Faults that change the answer. */
async function alter(
  response: ServerResponse,
  request: ServerRequest,
  faults: Faults,
  counts: FaultCounts,
): Promise<ServerResponse> {
  const { body, headers } = response;
  if (faults.noReferrersApi && headers["oci-subject"] !== undefined) {
    counts.noReferrersApi++;
    const { "oci-subject": _subject, ...rest } = headers;
    return { ...response, headers: rest };
  }
  if (body === undefined || request.method !== "GET" || response.status > 206) return response;
  const isContent = isBlob(request) || request.target.includes("/manifests/");
  if (faults.wrongDigest && isContent) {
    counts.wrongDigest++;
    const bytes = "content" in body ? await rangeOf(body) : body.slice();
    bytes[0] = (bytes[0] ?? 0) ^ 1;
    return { ...response, body: bytes };
  }
  if (faults.shortBody && isBlob(request) && "content" in body && counts.shortBody < faults.shortBody.times) {
    counts.shortBody++;
    const half = (await rangeOf(body)).subarray(0, body.length >> 1);
    return { ...response, body: { content: bytesContent(half), offset: 0, length: body.length } };
  }
  return response;
}

async function rangeOf(body: Exclude<ServerResponse["body"], Uint8Array | undefined>): Promise<Uint8Array> {
  const rest = await collect(await body.content.stream(body.offset), Number.MAX_SAFE_INTEGER, "a body");
  return rest.slice(0, body.length);
}

function isBlob({ target }: ServerRequest): boolean {
  return /\/blobs\/[^/]+$/.test(target.split("?", 1)[0] ?? "") && !target.endsWith("/uploads");
}

function json(status: number, code: string, headers: Readonly<Record<string, string>> = {}): ServerResponse {
  return {
    status,
    headers: { "content-type": "application/json", ...headers },
    body: text(JSON.stringify({ errors: [{ code, message: "a fault of the test registry" }] })),
  };
}

function text(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}
