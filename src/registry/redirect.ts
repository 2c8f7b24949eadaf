import { LibraryError } from "../core/error.ts";
import type { Http, HttpRequest, HttpResponse } from "../core/ports.ts";
import { isLinkLocal, isPrivate, isThisMachine } from "./address.ts";
import { discard } from "./discard.ts";
import { printable, printableUrl } from "./printable.ts";

/** A response and the address that gave it. */
export interface LocatedResponse {
  readonly response: HttpResponse;
  readonly url: URL;
  /** Another host than the first answered: its challenges are not answered. */
  readonly foreign: boolean;
}

const maxRedirects = 10;

/**
 * Sends the request and follows redirects: 307 and 308 always, 301, 302 and 303 for GET and HEAD. `Authorization` goes
 * to the first host only and is not taken up again on the way back. Throws `insecure-refused` for a redirect from https
 * to http, to a link-local address or this machine from a public one, or to another scheme, `registry-error` after ten redirects.
 * distribution-spec (main), "Redirects".
 */
export async function sendFollowing(http: Http, request: HttpRequest, purpose: string): Promise<LocatedResponse> {
  let current = request;
  let foreign = false;
  for (let hops = 0; ; hops++) {
    const response = await http.send(current);
    const target = redirectTarget(current, response);
    if (target === undefined) return { response, url: current.url, foreign };
    await discard(response);
    if (hops >= maxRedirects) {
      throw new LibraryError("registry-error", `Cannot ${purpose}: more than ${maxRedirects} redirects`);
    }
    const url = checkTarget(target, current.url, purpose);
    const headers = { ...current.headers };
    if (url.host !== current.url.host) {
      foreign = true;
      delete headers.authorization;
    }
    current = { ...current, url, headers };
  }
}

/** The address in a `Location`, allowed as the next one after `from`; throws `insecure-refused` or `registry-error`. */
export function checkTarget(location: string, from: URL, purpose: string): URL {
  const url = URL.parse(location, from.href);
  if (url === null) throw refused(purpose, printable(location, 100), "not an address", "registry-error");
  const shown = printableUrl(url);
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    throw refused(purpose, printable(url.protocol, 20), "expected http or https");
  }
  if (url.username !== "" || url.password !== "") throw refused(purpose, shown, "an address with a user name in it");
  if (from.protocol === "https:" && url.protocol === "http:") {
    throw refused(purpose, shown, "plain http after https");
  }
  if (isLinkLocal(url.hostname) && !isPrivate(from.hostname)) throw refused(purpose, shown, "a link-local address");
  if (isThisMachine(url.hostname) && !isPrivate(from.hostname))
    throw refused(purpose, shown, "an address of this machine");
  url.hash = "";
  return url;
}

function redirectTarget(request: HttpRequest, response: HttpResponse): string | undefined {
  const { status } = response;
  const reads = request.method === "GET" || request.method === "HEAD";
  const follows = status === 307 || status === 308 || (reads && (status === 301 || status === 302 || status === 303));
  return follows ? (response.headers.get("location") ?? undefined) : undefined;
}

function refused(
  purpose: string,
  target: string,
  problem: string,
  code: "insecure-refused" | "registry-error" = "insecure-refused",
): LibraryError {
  return new LibraryError(code, `Cannot ${purpose}: the registry points to ${target}, ${problem}`);
}
