/** What a registry may be shown. */
export type Credential =
  | { readonly kind: "basic"; readonly username: string; readonly password: string }
  /** An OAuth2 refresh token, exchanged at the registry's token server. */
  | { readonly kind: "identity-token"; readonly username: string | undefined; readonly token: string }
  /** Sent to the registry as it is. */
  | { readonly kind: "registry-token"; readonly token: string };

/** `username:password` in base64, as Basic authentication and credentials files carry it: RFC 7617. */
export function encodeBasic(username: string, password: string): string {
  return Buffer.from(`${username}:${password}`, "utf8").toString("base64");
}

/** The two parts of what `encodeBasic` made; undefined where `text` is nothing of the kind. */
export function decodeBasic(text: string): { readonly username: string; readonly password: string } | undefined {
  const decoded = Buffer.from(text, "base64").toString("utf8");
  const colon = decoded.indexOf(":");
  if (colon <= 0) return undefined;
  // Some tools pad what they encode with NUL
  return { username: decoded.slice(0, colon), password: decoded.slice(colon + 1).replace(/\0+$/, "") };
}

/** The name under which credentials of Docker Hub are kept by every tool. */
const dockerHubKey = "https://index.docker.io/v1/";

/** The key under which new credentials of the registry are stored. */
export function credentialKey(registry: string): string {
  return registry === "docker.io" ? dockerHubKey : registry;
}

/**
 * The keys under which credentials may lie, the most exact first: `registry/name/space`, `registry/name`, `registry`
 * (containers-auth.json(5)), then the spellings of old Docker clients.
 */
export function credentialKeys(registry: string, repository: string | undefined): readonly string[] {
  const parts = repository === undefined ? [] : repository.split("/");
  const hosts = registry === "docker.io" ? ["docker.io", "index.docker.io", "registry-1.docker.io"] : [registry];
  const scoped = parts.map((_, index) => `${registry}/${parts.slice(0, parts.length - index).join("/")}`);
  const first = registry === "docker.io" ? [dockerHubKey] : [];
  return [
    ...scoped,
    ...first,
    ...hosts,
    ...hosts.flatMap((host) => [`https://${host}`, `https://${host}/`, `http://${host}`, `https://${host}/v1/`]),
    ...hosts.flatMap((host) => [`https://${host}/v2/`, `http://${host}/v1/`]),
  ];
}
