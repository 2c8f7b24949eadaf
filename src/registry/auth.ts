import type { Io } from "../core/content.ts";
import { LibraryError } from "../core/error.ts";
import { type Challenge, parseChallenges } from "./challenge.ts";
import { type Credential, encodeBasic } from "./credential.ts";
import { mergeScopes } from "./scope.ts";
import type { HostChallenge, HostState, RegistrySession } from "./session.ts";
import { fetchToken, isHeaderToken } from "./token.ts";

/** Whom the credentials are for. */
export interface AuthenticatedPlace {
  readonly session: RegistrySession;
  readonly registry: string;
  /** Credentials may be kept for a repository or a part of its name. */
  readonly repository: string | undefined;
  readonly host: HostState;
}

/**
 * The Authorization that the registry wanted of earlier requests; undefined where it never asked for one, or there are
 * no credentials. Spares each request its 401.
 */
export async function knownAuthorization(
  place: AuthenticatedPlace,
  registryUrl: URL,
  scopes: readonly string[],
  io: Io,
): Promise<string | undefined> {
  const { challenge } = place.host;
  if (challenge === undefined) return undefined;
  return authorizationFor(place, registryUrl, challenge, scopes, await findCredential(place, io), io);
}

/**
 * The Authorization that answers a 401; undefined where there is none better than `used`, with which the registry was
 * not content. A token that was used is fetched anew, so a caller bounds how often it asks.
 */
export async function answerChallenge(
  place: AuthenticatedPlace,
  registryUrl: URL,
  header: string | null,
  scopes: readonly string[],
  used: string | undefined,
  io: Io,
): Promise<string | undefined> {
  const challenges = parseChallenges(header);
  const bearer = challenges.find(({ scheme, parameters }) => scheme === "bearer" && parameters.get("realm"));
  const challenge = bearer ? bearerChallenge(bearer) : basicChallenge(challenges);
  if (challenge === undefined) return undefined;
  const { host } = place;
  host.challenge = challenge;
  if (bearer) widenScopes(host, scopes, bearer.parameters.get("scope"));
  if (challenge.scheme === "bearer") await forgetToken(host, tokenKey(host, challenge, scopes), used);
  const credential = await findCredential(place, io);
  const authorization = await authorizationFor(place, registryUrl, challenge, scopes, credential, io);
  return authorization === used ? undefined : authorization;
}

async function findCredential(place: AuthenticatedPlace, io: Io): Promise<Credential | undefined> {
  return place.session.credentials.find(place.registry, place.repository, io);
}

async function authorizationFor(
  place: AuthenticatedPlace,
  registryUrl: URL,
  challenge: HostChallenge,
  scopes: readonly string[],
  credential: Credential | undefined,
  io: Io,
): Promise<string | undefined> {
  if (credential?.kind === "registry-token") {
    if (isHeaderToken(credential.token)) return `Bearer ${credential.token}`;
    throw new LibraryError(
      "invalid-configuration",
      `Cannot authenticate at ${place.registry}: the stored token has characters that no token has`,
      { hint: `Run "library login ${place.registry}"` },
    );
  }
  if (challenge.scheme === "basic") {
    if (credential?.kind !== "basic") return undefined;
    return `Basic ${encodeBasic(credential.username, credential.password)}`;
  }
  return `Bearer ${await cachedToken(place, registryUrl, challenge, scopes, credential, io)}`;
}

type BearerChallenge = Extract<HostChallenge, { scheme: "bearer" }>;

async function cachedToken(
  { session, registry, host }: AuthenticatedPlace,
  registryUrl: URL,
  challenge: BearerChallenge,
  scopes: readonly string[],
  credential: Credential | undefined,
  io: Io,
): Promise<string> {
  const key = tokenKey(host, challenge, scopes);
  const known = host.tokens.get(key);
  const cached = await known;
  if (cached && cached.usableUntil > session.now().getTime()) return cached.token;
  // Others may have waited for the same expired token: the first one fetches, the rest wait for it
  let fetching = host.tokens.get(key);
  if (fetching === undefined || fetching === known) {
    const request = { registry, registryUrl, realm: challenge.realm, service: challenge.service, credential };
    fetching = fetchToken(session, { ...request, scopes: wantedScopes(host, scopes) }, io);
    host.tokens.set(key, fetching);
    const mine = fetching;
    fetching.catch(() => {
      if (host.tokens.get(key) === mine) host.tokens.delete(key);
    });
  }
  return (await fetching).token;
}

/** Drops the token that the registry refused, unless it was replaced in the meantime. */
async function forgetToken(host: HostState, key: string, used: string | undefined): Promise<void> {
  const known = host.tokens.get(key);
  if (known === undefined || used === undefined) return;
  const { token } = await known;
  if (used === `Bearer ${token}` && host.tokens.get(key) === known) host.tokens.delete(key);
}

function tokenKey(host: HostState, challenge: BearerChallenge, scopes: readonly string[]): string {
  return [challenge.realm, challenge.service ?? "", ...wantedScopes(host, scopes)].join("\n");
}

function wantedScopes(host: HostState, scopes: readonly string[]): readonly string[] {
  return host.widened.get(scopes.join(" ")) ?? mergeScopes(scopes);
}

/** Remembers what the challenge wants beyond what we would ask for: a registry may know of rights that we do not. */
function widenScopes(host: HostState, scopes: readonly string[], challenged: string | undefined): void {
  const theirs = (challenged ?? "").split(" ").filter((scope) => scope !== "");
  host.widened.set(scopes.join(" "), mergeScopes([...wantedScopes(host, scopes), ...theirs]));
}

function bearerChallenge(challenge: Challenge): HostChallenge {
  return {
    scheme: "bearer",
    realm: challenge.parameters.get("realm") ?? "",
    service: challenge.parameters.get("service"),
  };
}

function basicChallenge(challenges: readonly Challenge[]): HostChallenge | undefined {
  return challenges.some(({ scheme }) => scheme === "basic") ? { scheme: "basic" } : undefined;
}
