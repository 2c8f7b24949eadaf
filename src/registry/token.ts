import * as v from "valibot";
import type { Io } from "../core/content.ts";
import { LibraryError } from "../core/error.ts";
import { parseJson } from "../core/json.ts";
import type { HttpRequest } from "../core/ports.ts";
import { isLinkLocal, isLoopback, isPrivate, isSameSite } from "./address.ts";
import { type Credential, encodeBasic } from "./credential.ts";
import { discard } from "./discard.ts";
import { printable, printableUrl } from "./printable.ts";
import { sendFollowing } from "./redirect.ts";
import { registryError } from "./refusal.ts";
import { isTransient, parseRetryAfter, withRetries } from "./retry.ts";
import type { CachedToken, RegistrySession } from "./session.ts";

/** What a token is asked for. */
export interface TokenRequest {
  readonly registry: string;
  /** The registry's own address, which the realm is judged by. */
  readonly registryUrl: URL;
  readonly realm: string;
  readonly service: string | undefined;
  readonly scopes: readonly string[];
  readonly credential: Credential | undefined;
}

const clientId = "library";
const maxTokenBytes = 128 * 1024;
const defaultLifetimeSeconds = 60;
const maxLifetimeSeconds = 10 * 365 * 24 * 3600;

const answerSchema = v.looseObject({
  token: v.optional(v.nullable(v.string())),
  access_token: v.optional(v.nullable(v.string())),
  expires_in: v.optional(v.nullable(v.pipe(v.number(), v.minValue(0), v.maxValue(maxLifetimeSeconds)))),
});

/**
 * A token from the registry's token server: by POST where an identity token is stored, else (or where the server knows
 * no POST) by GET, with Basic credentials if there are any. Throws `insecure-refused` for a realm that credentials must
 * not go to, `unauthorized` where they are refused, `registry-error` for an answer that holds no usable token.
 * distribution's "Token Authentication Specification" and "OAuth2 Token Authentication".
 */
export async function fetchToken(session: RegistrySession, request: TokenRequest, io: Io): Promise<CachedToken> {
  const realm = checkRealm(session, request, io);
  const { credential } = request;
  if (credential?.kind === "identity-token") {
    const answer = await exchange(session, request, postRequest(realm, request, credential.token, io), [404, 405], io);
    if (answer) return answer;
  }
  const answer = await exchange(session, request, getRequest(realm, request, io), [], io);
  if (answer) return answer;
  throw new Error("unreachable: no status of a GET is let pass");
}

/** The realm as an address that may be asked, and shown the credential there is; throws `insecure-refused`. */
function checkRealm(session: RegistrySession, request: TokenRequest, io: Io): URL {
  const { registry, registryUrl, credential } = request;
  const realm = URL.parse(request.realm);
  const shown = realm === null ? printable(request.realm, 100) : printableUrl(realm);
  const refuse = (problem: string, hint?: string) =>
    new LibraryError(
      "insecure-refused",
      `Cannot authenticate at ${registry}: its token server is ${shown}, ${problem}`,
      hint === undefined ? {} : { hint },
    );
  if (realm === null || !/^https?:$/.test(realm.protocol)) throw refuse("expected an http or https address");
  if (realm.username !== "" || realm.password !== "") throw refuse("an address with a user name in it");
  const { plainHttp, insecureRegistries } = session.network;
  const plainAllowed =
    plainHttp ||
    insecureRegistries.includes(registry) ||
    insecureRegistries.includes(realm.host) ||
    (isLoopback(realm.hostname) && registryUrl.protocol === "http:");
  if (realm.protocol === "http:" && !plainAllowed) {
    throw refuse("which speaks plain http", `If that network is safe, add "--insecure-registry ${registry}"`);
  }
  if (isLinkLocal(realm.hostname) && !isPrivate(registryUrl.hostname)) throw refuse("a link-local address");
  if (credential !== undefined && !isSameSite(realm.hostname, registryUrl.hostname)) {
    if (credential.kind === "identity-token") {
      throw refuse(
        "on another domain than the registry, and an identity token is not sent there",
        `Log in with a password or an access token: library login ${registry}`,
      );
    }
    session.warnOnce(
      "credentials-elsewhere",
      `${registry} has its credentials checked by ${printable(realm.host, 100)}, on another domain`,
      io,
    );
  }
  return realm;
}

function getRequest(realm: URL, { service, scopes, credential }: TokenRequest, io: Io): HttpRequest {
  const url = new URL(realm);
  if (service !== undefined) url.searchParams.append("service", service);
  for (const scope of scopes) url.searchParams.append("scope", scope);
  url.searchParams.append("client_id", clientId);
  const login =
    credential?.kind === "basic"
      ? { username: credential.username, secret: credential.password }
      : credential?.kind === "identity-token" && credential.username !== undefined
        ? { username: credential.username, secret: credential.token }
        : undefined;
  if (login) url.searchParams.append("account", login.username);
  return {
    method: "GET",
    url,
    headers: {
      accept: "application/json",
      "user-agent": clientId,
      ...(login ? { authorization: `Basic ${encodeBasic(login.username, login.secret)}` } : {}),
    },
    signal: io.signal,
  };
}

function postRequest(realm: URL, { service, scopes }: TokenRequest, refreshToken: string, io: Io): HttpRequest {
  const form = new URLSearchParams({ grant_type: "refresh_token", client_id: clientId, refresh_token: refreshToken });
  if (service !== undefined) form.append("service", service);
  if (scopes.length > 0) form.append("scope", scopes.join(" "));
  return {
    method: "POST",
    url: realm,
    headers: {
      accept: "application/json",
      "content-type": "application/x-www-form-urlencoded",
      "user-agent": clientId,
    },
    body: new TextEncoder().encode(form.toString()),
    signal: io.signal,
  };
}

/** Undefined where the server answered one of the statuses that are let pass. */
async function exchange(
  session: RegistrySession,
  request: TokenRequest,
  http: HttpRequest,
  letPass: readonly number[],
  io: Io,
): Promise<CachedToken | undefined> {
  const purpose = `authenticate at ${request.registry}`;
  const host = printable(http.url.host, 255);
  return withRetries(session, host, session.retry.attempts, io, async () => {
    const asked = session.now().getTime();
    const { response, url } = await sendFollowing(session.http, http, purpose);
    if (response.status === 200) {
      const bytes = await response.body.bytes(maxTokenBytes);
      return { kind: "done", value: readToken(bytes, asked, `the answer of ${host}`, purpose) };
    }
    if (letPass.includes(response.status)) {
      await discard(response);
      return { kind: "done", value: undefined };
    }
    const retryAfterMs = parseRetryAfter(response.headers.get("retry-after"), session.now());
    const error = await registryError(response, {
      purpose,
      registry: request.registry,
      answering: `token server ${host}`,
      method: http.method,
      url,
      authenticated: request.credential !== undefined,
    });
    if (isTransient(response.status)) return { kind: "again", error, retryAfterMs };
    throw error;
  });
}

function readToken(bytes: Uint8Array, asked: number, name: string, purpose: string): CachedToken {
  let value: unknown;
  try {
    value = parseJson(bytes, name, { maxBytes: maxTokenBytes });
  } catch {
    // The cause may quote the document, which holds secrets
    throw new LibraryError("registry-error", `Cannot ${purpose}: ${name} is not JSON`);
  }
  const parsed = v.safeParse(answerSchema, value);
  const token = parsed.success ? parsed.output.token || parsed.output.access_token : undefined;
  if (!parsed.success || !token) {
    throw new LibraryError("registry-error", `Cannot ${purpose}: ${name} holds no token with a valid lifetime`);
  }
  if (!isHeaderToken(token)) {
    throw new LibraryError("registry-error", `Cannot ${purpose}: ${name} holds a token with control characters`);
  }
  const lifetimeMs = (parsed.output.expires_in ?? defaultLifetimeSeconds) * 1000;
  return { token, usableUntil: asked + lifetimeMs - Math.min(10_000, lifetimeMs / 4) };
}

/** Whether a token may stand in a header: visible ASCII only. */
export function isHeaderToken(token: string): boolean {
  return /^[\x21-\x7e]+$/.test(token);
}
