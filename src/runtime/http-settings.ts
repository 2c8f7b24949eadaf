import type { NetworkSettings } from "../core/context.ts";

/** What the HTTP clients are told once. */
export interface HttpSettings {
  readonly network: Pick<NetworkSettings, "insecureRegistries" | "caFiles">;
  /** Read for proxies (`HTTP_PROXY`, `HTTPS_PROXY`, `NO_PROXY`, also in lower case) and certificates. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Milliseconds without a byte before an exchange fails, where the request says nothing. */
export const defaultIdleTimeoutMs = 60_000;

/** Connections to one host at a time. */
export const maxConnections = 64;

/** Whether the certificate of `url`'s host goes unchecked: its host and port must be named exactly. */
export function isUnchecked(url: URL, settings: HttpSettings): boolean {
  const port = url.port || (url.protocol === "https:" ? "443" : "80");
  return settings.network.insecureRegistries.some((entry) => {
    const name = entry.toLowerCase();
    return name === url.host || name === `${url.hostname}:${port}`;
  });
}

/** The variables that name a proxy for `url`; NO_PROXY is left to who honours it. */
export function hasProxy(url: URL, settings: HttpSettings): boolean {
  const { env } = settings;
  return Boolean(url.protocol === "https:" ? env.HTTPS_PROXY || env.https_proxy : env.HTTP_PROXY || env.http_proxy);
}

/** The headers to send: the caller's, and those that keep servers from encoding the body. */
export function requestHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  const sent: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) sent[name.toLowerCase()] = value;
  // The digest is of the bytes as stored: an encoding on the way would have to be undone by somebody
  sent["accept-encoding"] ??= "identity";
  sent["user-agent"] ??= "library";
  return sent;
}
