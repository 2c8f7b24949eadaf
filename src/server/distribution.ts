import type { Content, Io } from "../core/content.ts";
import { isLibraryError } from "../core/error.ts";
import type { Event } from "../core/event.ts";
import type { ServerRequest, ServerResponse } from "../core/ports.ts";
import { type Digest, hashAlgorithm, isDigest } from "../oci/digest.ts";
import type { Authenticate } from "./auth.ts";
import { cancelUpload, finishUpload, patchUpload, startUpload, uploadStatus } from "./blob-uploads.ts";
import { deleteBlob, getBlob } from "./blobs.ts";
import { Refusal, refusal, refusalResponse } from "./errors.ts";
import { getCatalog, getTags } from "./listings.ts";
import { deleteManifest, getManifest, putManifest } from "./manifests.ts";
import { getReferrers } from "./referrers.ts";
import type { Repository } from "./repository.ts";
import { parseTarget, type Route } from "./route.ts";
import type { Storage } from "./storage.ts";
import type { Uploads } from "./uploads.ts";

/** What a registry is made of. */
export interface DistributionOptions {
  readonly storage: Storage;
  readonly uploads: Uploads;
  /** Every request that would change something is refused with 405. */
  readonly readOnly?: boolean;
  /** Every request needs credentials that this accepts. */
  readonly authenticate?: Authenticate;
  /** Hears of failures that are the server's own. */
  readonly emit: (event: Event) => void;
}

/** One request on its way through the registry. */
export interface Exchange {
  readonly request: ServerRequest;
  readonly query: URLSearchParams;
  readonly storage: Storage;
  readonly uploads: Uploads;
  readonly io: Io;
}

/**
 * A registry after distribution-spec v1.1.1: pull, push, content discovery and content management, with the catalog of
 * the Docker registry API. The handler answers every request and never rejects.
 */
export function createDistribution(options: DistributionOptions): (request: ServerRequest) => Promise<ServerResponse> {
  return async (request) => {
    try {
      return withCommonHeaders(await answer(request, options));
    } catch (error) {
      const response = refusalResponse(asRefusal(error, request, options.emit));
      return withCommonHeaders(request.method === "HEAD" ? withoutBody(response) : response);
    }
  };
}

/** The repository, where it is there; throws a Refusal, 404 NAME_UNKNOWN. */
export function existing(storage: Storage, name: string): Repository {
  const repository = storage.find(name);
  if (repository) return repository;
  throw refusal(404, "NAME_UNKNOWN", "there is no such repository", { detail: { name } });
}

/** A digest whose content this registry can check; throws a Refusal, 400 DIGEST_INVALID. */
export function usableDigest(text: string): Digest {
  if (isDigest(text)) {
    try {
      hashAlgorithm(text);
      return text;
    } catch (error) {
      if (!isLibraryError(error, "unsupported-digest")) throw error;
    }
  }
  throw refusal(400, "DIGEST_INVALID", "not a digest, or not of sha256 or sha512", { detail: text.slice(0, 300) });
}

/** Content-Length as a number of bytes; undefined where there is none. */
export function contentLength(request: ServerRequest): number | undefined {
  const text = request.headers.get("content-length");
  return text !== null && /^[0-9]{1,15}$/.test(text) ? Number(text) : undefined;
}

/** A body that is a part of a content. */
export function part(content: Content, offset: number, length: number): ServerResponse["body"] & object {
  return { content, offset, length };
}

type Handler = (exchange: Exchange, route: never) => Promise<ServerResponse>;
type Methods = Readonly<Record<string, Handler>>;

const ping: Handler = async () => ({
  status: 200,
  headers: { "content-type": "application/json" },
  body: new TextEncoder().encode("{}"),
});

/** HEAD is GET without the body. */
const routes: Readonly<Record<Route["kind"], Methods>> = {
  ping: { GET: ping },
  catalog: { GET: getCatalog },
  tags: { GET: getTags },
  referrers: { GET: getReferrers },
  blob: { GET: getBlob, DELETE: deleteBlob },
  manifest: { GET: getManifest, PUT: putManifest, DELETE: deleteManifest },
  uploads: { POST: startUpload },
  upload: { GET: uploadStatus, PATCH: patchUpload, PUT: finishUpload, DELETE: cancelUpload },
};

async function answer(request: ServerRequest, options: DistributionOptions): Promise<ServerResponse> {
  if (options.authenticate && !(await options.authenticate(request.headers.get("authorization")))) {
    throw refusal(401, "UNAUTHORIZED", "credentials are needed", {
      headers: { "www-authenticate": 'Basic realm="library", charset="UTF-8"' },
    });
  }
  const { route, query } = parseTarget(request.target);
  const methods = routes[route.kind];
  const method = request.method === "HEAD" ? "GET" : request.method;
  const handler = Object.hasOwn(methods, method) ? methods[method] : undefined;
  if (handler === undefined || (method !== "GET" && options.readOnly)) throw notAllowed(methods, options);
  const io = { signal: request.signal, emit: options.emit };
  const exchange = { request, query, storage: options.storage, uploads: options.uploads, io };
  // The table pairs every kind of route with handlers of that kind
  const response = await handler(exchange, route as never);
  return request.method === "HEAD" ? withoutBody(response) : response;
}

function notAllowed(methods: Methods, options: DistributionOptions): Refusal {
  const allowed = Object.keys(methods).filter((method) => method === "GET" || !options.readOnly);
  const allow = allowed.flatMap((method) => (method === "GET" ? ["GET", "HEAD"] : [method])).join(", ");
  return refusal(405, "UNSUPPORTED", options.readOnly ? "this registry is read-only" : "not possible at this path", {
    headers: { allow },
  });
}

function withoutBody({ status, headers, body }: ServerResponse): ServerResponse {
  const length = body === undefined ? undefined : "content" in body ? body.length : body.byteLength;
  return { status, headers: length === undefined ? headers : { ...headers, "content-length": String(length) } };
}

function withCommonHeaders(response: ServerResponse): ServerResponse {
  return {
    ...response,
    headers: {
      "docker-distribution-api-version": "registry/2.0",
      "x-content-type-options": "nosniff",
      ...response.headers,
    },
  };
}

function asRefusal(error: unknown, request: ServerRequest, emit: (event: Event) => void): Refusal {
  if (error instanceof Refusal) return error;
  if (isLibraryError(error, "locked")) {
    return refusal(503, "TOOMANYREQUESTS", "another process writes to this repository", {
      headers: { "retry-after": "1" },
    });
  }
  if (!request.signal.aborted) {
    const message = error instanceof Error ? error.message : "an unknown failure";
    const path = request.target.split("?", 1)[0] ?? "";
    emit({ kind: "warning", code: "request-failed", message: `${request.method} ${path}: ${message}` });
  }
  return refusal(500, "UNSUPPORTED", "the registry failed to do this; its operator can read why in its output");
}
