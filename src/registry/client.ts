import type { Io } from "../core/content.ts";
import { isLibraryError, UsageError } from "../core/error.ts";
import type { HttpRequest, HttpResponse } from "../core/ports.ts";
import { type Digest, isDigest } from "../oci/digest.ts";
import { isRegistry, isRepository, isTag } from "../oci/reference.ts";
import { apiHost, protocolsOf } from "./address.ts";
import { type AuthenticatedPlace, answerChallenge, knownAuthorization } from "./auth.ts";
import { discard } from "./discard.ts";
import { checkTarget, type LocatedResponse, sendFollowing } from "./redirect.ts";
import { registryError } from "./refusal.ts";
import { againAfter, isTransient, noteRetryAfter, parseRetryAfter, withRetries } from "./retry.ts";
import type { HostState, RegistrySession } from "./session.ts";
import { parseWarnings } from "./warning-header.ts";

/** A request to a registry, in the client's terms. */
export interface RegistryRequest {
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** From `/v2/` on; or the address that the registry gave in a `Location` or `Link`. */
  readonly target: string | URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: HttpRequest["body"];
  readonly scopes: readonly string[];
  /** What it is for, as an imperative that follows "Cannot". */
  readonly purpose: string;
  /** Statuses that are answers; any other is thrown as a RegistryError. */
  readonly accept: readonly number[];
  /** Whether a transient failure is worth another send; default true: no for a body that the registry may hold in part. */
  readonly retry?: boolean;
  readonly idleTimeoutMs?: number;
}

/** An accepted answer; whoever gets it reads or discards the body. */
export interface RegistryResponse {
  readonly status: number;
  readonly headers: Headers;
  readonly body: HttpResponse["body"];
  /** The address that answered, against which a relative `Location` is read. */
  readonly url: URL;
}

/** Requests to one registry for one repository, with redirects, authentication, retries and errors taken care of. */
export class RegistryClient {
  readonly session: RegistrySession;
  readonly registry: string;
  readonly repository: string | undefined;
  readonly host: HostState;
  readonly #place: AuthenticatedPlace;

  /** Throws `invalid-reference` for names outside the grammar: none of them reaches a URL. */
  constructor(session: RegistrySession, registry: string, repository: string | undefined) {
    if (!isRegistry(registry)) throw invalidName(`registry ${JSON.stringify(registry.slice(0, 160))}`);
    if (repository !== undefined && !isRepository(repository)) {
      throw invalidName(`repository ${JSON.stringify(repository.slice(0, 160))}`);
    }
    this.session = session;
    this.registry = registry;
    this.repository = repository;
    this.host = session.host(registry);
    this.#place = { session, registry, repository, host: this.host };
  }

  /**
   * The answer, of one of the accepted statuses. Throws RegistryError (`unauthorized`, `not-found`, `registry-error`),
   * `network-error` or `insecure-refused`, after the retries that the session allows.
   */
  async send(request: RegistryRequest, io: Io): Promise<RegistryResponse> {
    const attempts = request.retry === false ? 1 : this.session.retry.attempts;
    return withRetries(this.session, this.registry, attempts, io, async () => {
      const { response, url, authenticated } = await this.#sendAuthenticated(request, io);
      for (const text of parseWarnings(response.headers.get("warning"))) {
        this.session.warnOnce("registry-warning", `${this.registry}: ${text}`, io);
      }
      const { status, headers, body } = response;
      if (request.accept.includes(status)) return { kind: "done", value: { status, headers, body, url } };
      const { purpose, method } = request;
      const error = await registryError(response, { purpose, registry: this.registry, method, url, authenticated });
      noteRetryAfter(error, parseRetryAfter(headers.get("retry-after"), this.session.now()));
      if (isTransient(status)) return againAfter(error);
      throw error;
    });
  }

  /** The path of something in the repository, as `manifests`, `blobs`, each further part checked by its own grammar. */
  path(kind: "manifests" | "blobs" | "referrers", reference: string): string {
    if (!isDigest(reference) && !isTag(reference)) {
      throw invalidName(`reference ${JSON.stringify(reference.slice(0, 160))}`);
    }
    return `${this.#repositoryPath()}/${kind}/${encodeSegment(reference)}`;
  }

  /** The path where uploads begin; ends with a slash: distribution-spec v1.1.1, "Pushing Blobs". */
  uploadsPath(): string {
    return `${this.#repositoryPath()}/blobs/uploads/`;
  }

  tagsPath(): string {
    return `${this.#repositoryPath()}/tags/list`;
  }

  /** Where the registry answered, or is expected to, as `https://registry-1.docker.io`. */
  origin(): string {
    const { network } = this.session;
    return this.#base(this.host.protocol ?? protocolsOf(this.registry, network)[0] ?? "https:").origin;
  }

  /** `registry/repository`, and what is meant in it, as messages name it. */
  label(reference?: string | Digest): string {
    const place = this.repository === undefined ? this.registry : `${this.registry}/${this.repository}`;
    if (reference === undefined) return place;
    return `${place}${reference.includes(":") ? "@" : ":"}${reference}`;
  }

  /** A `Location` of the registry as an address to go on with; throws `insecure-refused` where it is not a safe one. */
  location(response: RegistryResponse, purpose: string): URL | undefined {
    const location = response.headers.get("location");
    return location ? checkTarget(location, response.url, purpose) : undefined;
  }

  #repositoryPath(): string {
    if (this.repository === undefined) throw invalidName("repository: none was given");
    return `/v2/${this.repository.split("/").map(encodeSegment).join("/")}`;
  }

  async #sendAuthenticated(
    request: RegistryRequest,
    io: Io,
  ): Promise<LocatedResponse & { readonly authenticated: boolean }> {
    let authorization: string | undefined;
    for (let round = 0; ; round++) {
      const first = await this.#sendOnce(request, authorization, round === 0, io);
      authorization = first.authorization;
      const { response, foreign } = first.located;
      const result = { ...first.located, authenticated: authorization !== undefined };
      if (response.status !== 401 || foreign || !first.trusted || round === 2) return result;
      const header = response.headers.get("www-authenticate");
      const base = this.#base(this.host.protocol ?? "https:");
      let better: string | undefined;
      try {
        better = await answerChallenge(this.#place, base, header, request.scopes, authorization, io);
      } catch (error) {
        await discard(response);
        throw error;
      }
      if (better === undefined) return result;
      await discard(response);
      authorization = better;
    }
  }

  /** Sends with the authorization given, or with the one that is known where this is the first send. */
  async #sendOnce(
    request: RegistryRequest,
    given: string | undefined,
    first: boolean,
    io: Io,
  ): Promise<{
    readonly located: LocatedResponse;
    readonly authorization: string | undefined;
    readonly trusted: boolean;
  }> {
    const protocols = this.host.protocol ? [this.host.protocol] : protocolsOf(this.registry, this.session.network);
    let failure: unknown;
    let answeredPlain = false;
    for (const protocol of protocols) {
      const base = this.#base(protocol);
      const url = typeof request.target === "string" ? new URL(request.target, base) : request.target;
      // What the registry says about other hosts is followed, but its credentials are not shown there
      const trusted = url.host === base.host && (url.protocol === base.protocol || url.protocol === "https:");
      const known = trusted && first ? await knownAuthorization(this.#place, base, request.scopes, io) : given;
      const authorization = trusted ? known : undefined;
      try {
        const located = await this.#exchange(request, url, authorization, io);
        if (protocols.length > 1 && !answeredPlain && mayBeHttpOnHttps(located)) {
          await discard(located.response);
          answeredPlain = true;
          continue;
        }
        this.host.protocol ??= protocol;
        return { located, authorization, trusted };
      } catch (error) {
        failure ??= error;
        if (!isLibraryError(error, "network-error")) throw error;
      }
    }
    if (!answeredPlain) throw failure;
    // There is no TLS: the 400 was the registry's own answer
    this.host.protocol = "http:";
    return this.#sendOnce(request, given, first, io);
  }

  async #exchange(
    request: RegistryRequest,
    url: URL,
    authorization: string | undefined,
    io: Io,
  ): Promise<LocatedResponse> {
    io.emit({ kind: "debug", message: `${request.method} ${url.origin}${url.pathname}` });
    const headers = {
      "user-agent": "library",
      "accept-encoding": "identity",
      ...request.headers,
      ...(authorization === undefined ? {} : { authorization }),
    };
    const { method, body, idleTimeoutMs } = request;
    return sendFollowing(
      this.session.http,
      {
        method,
        url,
        headers,
        signal: io.signal,
        ...(body === undefined ? {} : { body }),
        ...(idleTimeoutMs === undefined ? {} : { idleTimeoutMs }),
      },
      request.purpose,
    );
  }

  #base(protocol: "http:" | "https:"): URL {
    return new URL(`${protocol}//${apiHost(this.registry)}/`);
  }
}

/** Go's servers tell a client that speaks plain http to a TLS port so, with status 400 and a line of text. */
function mayBeHttpOnHttps({ response, url }: LocatedResponse): boolean {
  if (response.status !== 400 || url.protocol !== "http:") return false;
  const { headers } = response;
  return !headers.has("docker-distribution-api-version") && !/json/.test(headers.get("content-type") ?? "");
}

/** Everything outside of a path segment's own characters encoded; the colon of a digest may stand as it is. */
function encodeSegment(segment: string): string {
  return encodeURIComponent(segment).replaceAll("%3A", ":");
}

function invalidName(what: string): UsageError {
  return new UsageError(`Cannot use the ${what}: not of the grammar of registries`, { code: "invalid-reference" });
}
