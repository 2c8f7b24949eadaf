import type { NetworkSettings } from "../core/context.ts";

/** Whether the host of a URL is this machine: its requests may go over plain http. */
export function isLoopback(hostname: string): boolean {
  return (
    hostname === "localhost" ||
    hostname.endsWith(".localhost") ||
    hostname === "[::1]" ||
    /^127\.[0-9]+\.[0-9]+\.[0-9]+$/.test(hostname)
  );
}

/**
 * Whether a connection to the host of a URL (addresses in the canonical form that URL gives them) ends at this machine.
 * Wider than `isLoopback`, and only good for refusing: it allows nothing.
 */
export function isThisMachine(hostname: string): boolean {
  const host = unmapped(hostname);
  return isLoopback(host) || host === "[::]" || /^0\.[0-9]+\.[0-9]+\.[0-9]+$/.test(host);
}

/** The host without the dot that ends a full name, and an IPv4 address in IPv6 as that: RFC 4291, section 2.5.5.2. */
function unmapped(hostname: string): string {
  const mapped = /^\[::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})\]$/.exec(hostname);
  if (mapped === null) return hostname.replace(/\.$/, "");
  const halves = mapped.slice(1).map((half) => Number.parseInt(half, 16));
  return halves.flatMap((half) => [half >> 8, half & 0xff]).join(".");
}

/**
 * Whether the host of a URL (IPv4 in the canonical form that URL gives it) is a link-local address or a cloud's
 * metadata service, which a registry on the internet has no reason to send a client to.
 */
export function isLinkLocal(hostname: string): boolean {
  const host = unmapped(hostname);
  return (
    /^169\.254\.[0-9]+\.[0-9]+$/.test(host) ||
    /^\[fe[89ab][0-9a-f]:/.test(host) ||
    host === "[fd00:ec2::254]" ||
    /^metadata(?:\.google\.internal)?$/.test(host) ||
    host === "100.100.100.200"
  );
}

/** Whether the host is on a private network by its address or its name of one label, so that it may name neighbours. */
export function isPrivate(hostname: string): boolean {
  const host = unmapped(hostname);
  return (
    /^[^.:[\]]+$/.test(host) ||
    isThisMachine(host) ||
    isLinkLocal(host) ||
    /^10\.[0-9]+\.[0-9]+\.[0-9]+$/.test(host) ||
    /^192\.168\.[0-9]+\.[0-9]+$/.test(host) ||
    /^172\.(?:1[6-9]|2[0-9]|3[01])\.[0-9]+\.[0-9]+$/.test(host) ||
    /^\[f[cd][0-9a-f]{2}:/.test(host)
  );
}

/**
 * Whether two hosts belong to one owner as far as their names tell: equal, or under the same domain of two labels
 * (three where the last ones are as short as `co.uk`). Addresses must be equal.
 */
export function isSameSite(one: string, other: string): boolean {
  if (one === other) return true;
  if (/[[\]]|^[0-9.]+$/.test(one) || /[[\]]|^[0-9.]+$/.test(other)) return false;
  return site(one) === site(other) && site(one).includes(".");
}

function site(hostname: string): string {
  const labels = hostname.toLowerCase().replace(/\.$/, "").split(".");
  const [second = "", last = ""] = labels.slice(-2);
  return labels.slice(last.length === 2 && second.length <= 3 ? -3 : -2).join(".");
}

/** The host that answers for a registry: Docker Hub's has another name than its references. */
export function apiHost(registry: string): string {
  return registry === "docker.io" ? "registry-1.docker.io" : registry;
}

/** The protocols to try for a registry, the first that answers stays. */
export function protocolsOf(registry: string, network: NetworkSettings): readonly ("http:" | "https:")[] {
  if (network.plainHttp) return ["http:"];
  if (network.insecureRegistries.includes(registry)) return ["https:", "http:"];
  const hostname = URL.parse(`https://${registry}/`)?.hostname ?? registry;
  return isLoopback(hostname) ? ["http:", "https:"] : ["https:"];
}
