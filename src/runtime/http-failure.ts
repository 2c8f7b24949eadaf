import { LibraryError } from "../core/error.ts";

/**
 * What a failed exchange means: `insecure-refused` for a certificate that is not trusted, `network-error` for all else;
 * a LibraryError passes. The message names host and port, and nothing of path, query or headers.
 */
export function httpFailure(cause: unknown, url: URL): LibraryError {
  if (cause instanceof LibraryError) return cause;
  const host = hostAndPort(url);
  const code = codeOf(cause);
  const distrust = certificateProblems.get(code);
  if (distrust !== undefined) {
    return new LibraryError("insecure-refused", `Cannot trust ${host}: ${distrust}`, {
      cause,
      hint: `Pass --ca-file FILE with the authority that signed it, or --insecure-registry ${url.host} to go unchecked`,
    });
  }
  const plain = plainAnswers.has(code);
  const [state, hint] = plain
    ? ["no TLS there", `Pass --plain-http if ${url.host} speaks plain http`]
    : (states.get(code) ?? [`the exchange failed (${code})`]);
  return new LibraryError("network-error", `Cannot reach ${host}: ${state}`, { cause, hint });
}

/** The exchange made no progress for `milliseconds`: `network-error`. */
export function idleFailure(url: URL, milliseconds: number): LibraryError {
  return new LibraryError(
    "network-error",
    `Cannot go on with ${hostAndPort(url)}: no byte moved in ${milliseconds / 1000} s`,
  );
}

/** The response ended before its Content-Length: `network-error`. */
export function shortBody(url: URL, received: number, expected: number | undefined): LibraryError {
  return new LibraryError(
    "network-error",
    `Cannot read from ${hostAndPort(url)}: the connection ended after ${received} bytes` +
      `${expected === undefined ? "" : `, expected ${expected}`}`,
  );
}

/** `host:port`, also where the port is the scheme's own. */
function hostAndPort(url: URL): string {
  return `${url.hostname}:${url.port || (url.protocol === "https:" ? "443" : "80")}`;
}

function codeOf(error: unknown): string {
  for (let at = error, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth++) {
    if ("code" in at && typeof at.code === "string") return at.code;
    // Happy eyeballs: one error an address
    if (at instanceof AggregateError && at.errors.length > 0) return codeOf(at.errors[0]);
  }
  return error instanceof Error ? error.name : "unknown";
}

const checkAddress = "Check host and port of the reference, and that the registry runs";
const checkName = "Check the host name in the reference";
const goOn = "Run the same command again";

/** What the codes of both clients say, and what to do about it. */
const states: ReadonlyMap<string, readonly [state: string, hint: string]> = new Map([
  ["ECONNREFUSED", ["connection refused", checkAddress]],
  ["ConnectionRefused", ["connection refused", checkAddress]],
  ["FailedToOpenSocket", ["connection failed", checkAddress]],
  ["ECONNRESET", ["the connection was cut", goOn]],
  ["ConnectionClosed", ["the connection was cut", goOn]],
  ["EPIPE", ["the connection was cut", goOn]],
  ["ECONNABORTED", ["the connection was cut", goOn]],
  ["ENOTFOUND", ["no such host", checkName]],
  [
    "EAI_AGAIN",
    ["the name server does not answer", "Check the name server of this machine, and run the same command again"],
  ],
  ["ETIMEDOUT", ["no answer", checkAddress]],
  ["TimeoutError", ["no answer", checkAddress]],
  ["EHOSTUNREACH", ["no route to the host", checkAddress]],
  ["ENETUNREACH", ["no route to the network", "Check the network of this machine, and run the same command again"]],
  ["ERR_PROXY_TUNNEL", ["the proxy refuses the connection", "Check HTTPS_PROXY, or name the host in NO_PROXY"]],
]);

const certificateProblems: ReadonlyMap<string, string> = new Map([
  ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", "its certificate is signed by an unknown authority"],
  ["UNABLE_TO_GET_ISSUER_CERT", "its certificate is signed by an unknown authority"],
  ["UNABLE_TO_GET_ISSUER_CERT_LOCALLY", "its certificate is signed by an unknown authority"],
  ["SELF_SIGNED_CERT_IN_CHAIN", "its certificate is signed by an unknown authority"],
  ["DEPTH_ZERO_SELF_SIGNED_CERT", "its certificate is signed by itself"],
  ["CERT_HAS_EXPIRED", "its certificate has expired"],
  ["CERT_NOT_YET_VALID", "its certificate is not valid yet"],
  ["CERT_REVOKED", "its certificate was revoked"],
  ["CERT_UNTRUSTED", "its certificate is not trusted"],
  ["CERT_REJECTED", "its certificate is rejected"],
  ["CERT_SIGNATURE_FAILURE", "the signature of its certificate is wrong"],
  ["INVALID_CA", "its authority may not sign certificates"],
  ["INVALID_PURPOSE", "its certificate is not one for servers"],
  ["PATH_LENGTH_EXCEEDED", "its chain of certificates is too long"],
  ["CERT_CHAIN_TOO_LONG", "its chain of certificates is too long"],
  ["HOSTNAME_MISMATCH", "its certificate is for another name"],
  ["ERR_TLS_CERT_ALTNAME_INVALID", "its certificate is for another name"],
  ["ERR_TLS_CERT_ALTNAME_FORMAT", "the names in its certificate are malformed"],
]);

/** What TLS reports when a server answers in plain http. */
const plainAnswers: ReadonlySet<string> = new Set([
  "ERR_SSL_WRONG_VERSION_NUMBER",
  "ERR_SSL_PACKET_LENGTH_TOO_LONG",
  "ERR_SSL_HTTP_REQUEST",
  "EPROTO",
]);
