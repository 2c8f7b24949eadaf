import type { Io } from "../core/content.ts";
import { isLibraryError, RegistryError } from "../core/error.ts";
import { RegistryClient } from "./client.ts";
import type { Credential } from "./credential.ts";
import { discard } from "./discard.ts";
import { printable } from "./printable.ts";
import { referrersSupport } from "./referrers.ts";
import { repositoryScope } from "./scope.ts";
import { createRegistrySession, type RegistrySession, type SessionParts } from "./session.ts";

/** What a registry says of itself. */
export interface RegistryPing {
  readonly registry: string;
  /** Where it answered, as `https://registry-1.docker.io`. */
  readonly url: string;
  /** Of the answer to `GET /v2/`. */
  readonly status: number;
  /** How it wants to be authenticated; `none` where it answered without. */
  readonly authentication: "none" | "basic" | "bearer" | "unknown";
  /** Whether our credentials, or none, were enough for this question. */
  readonly authenticated: boolean;
  /** `Docker-Distribution-API-Version`, as sent. */
  readonly apiVersion: string | undefined;
  /** How the repository lists referrers; `unknown` where none was named, or it may not be read. */
  readonly referrers: "api" | "tag" | "unknown";
}

const noDigest = `sha256:${"0".repeat(64)}` as const;

/**
 * What the registry answers to `GET /v2/`, and how the repository, if one is given, lists referrers. Throws
 * `network-error` or `registry-error` where no registry answers there; a refusal for want of credentials is an answer.
 * distribution-spec v1.1.1, "Determining Support".
 */
export async function pingRegistry(
  session: RegistrySession,
  registry: string,
  repository: string | undefined,
  io: Io,
): Promise<RegistryPing> {
  const client = new RegistryClient(session, registry, repository);
  const scopes = repository === undefined ? [] : [repositoryScope(repository, "pull")];
  const accept = [200, 401, 403];
  let answer: { readonly status: number; readonly headers: Headers };
  try {
    const response = await client.send(
      { method: "GET", target: "/v2/", scopes, purpose: `ping ${registry}`, accept },
      io,
    );
    await discard(response);
    answer = response;
  } catch (error) {
    // The registry is there, but its token server refuses us
    if (!(error instanceof RegistryError) || error.code !== "unauthorized") throw error;
    answer = { status: error.refusal.status, headers: new Headers() };
  }
  const { status, headers } = answer;
  const challenge = session.host(registry).challenge?.scheme;
  const apiVersion = headers.get("docker-distribution-api-version");
  return {
    registry,
    url: client.origin(),
    status,
    authentication: challenge ?? (status === 200 ? "none" : "unknown"),
    authenticated: status === 200,
    apiVersion: apiVersion === null ? undefined : printable(apiVersion, 64),
    referrers: repository === undefined || status !== 200 ? "unknown" : await support(client, scopes, io),
  };
}

/**
 * Resolves to `accepted` where the registry takes the credential, to `not-asked` where it asks nobody for one; throws
 * `unauthorized` where it refuses it. The stored credentials play no part. For `login`, before anything is stored.
 */
export async function checkCredential(
  parts: SessionParts,
  registry: string,
  credential: Credential,
  io: Io,
): Promise<"accepted" | "not-asked"> {
  const session = createRegistrySession(parts, { credentials: { find: async () => credential } });
  const client = new RegistryClient(session, registry, undefined);
  const request = {
    method: "GET",
    target: "/v2/",
    scopes: [],
    purpose: `log in to ${registry}`,
    accept: [200],
  } as const;
  await discard(await client.send(request, io));
  return session.host(registry).challenge === undefined ? "not-asked" : "accepted";
}

async function support(client: RegistryClient, scopes: readonly string[], io: Io): Promise<"api" | "tag" | "unknown"> {
  try {
    return await referrersSupport(client, noDigest, scopes, io);
  } catch (error) {
    if (!isLibraryError(error)) throw error;
    io.emit({ kind: "debug", message: error.message });
    return "unknown";
  }
}
