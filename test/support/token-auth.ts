import type { ServeOptions, ServerRequest, ServerResponse } from "../../src/core/ports.ts";

export interface TokenAuthOptions {
  readonly username: string;
  readonly password: string;
  /** Without credentials, a token that can pull. */
  readonly anonymousPull?: boolean;
  /** The name of the service in challenges; "test registry" unless told. */
  readonly service?: string;
}

const tokenPath = "/token";

/** Asks for Bearer tokens that `/token` on the same host hands out by scope; calls `onChallenge` for every 401. */
export function tokenAuth(
  inner: ServeOptions["handler"],
  options: TokenAuthOptions,
  onChallenge: () => void,
): ServeOptions["handler"] {
  const service = options.service ?? "test registry";
  const grants = new Map<string, ReadonlySet<string>>();

  return async (request) => {
    const url = new URL(request.target, `http://${request.headers.get("host") ?? "127.0.0.1"}`);
    if (url.pathname === tokenPath) return issue(request, url);
    const needed = neededGrants(request.method, url);
    const token = /^Bearer (.+)$/i.exec(request.headers.get("authorization") ?? "")?.[1];
    const granted = token === undefined ? undefined : grants.get(token);
    if (granted && needed.every((grant) => granted.has(grant))) return inner(request);
    onChallenge();
    const scopes = scopesOf(needed);
    const scope = scopes === "" ? "" : `,scope="${scopes}"`;
    return refusal(401, `Bearer realm="${url.origin}${tokenPath}",service="${service}"${scope}`);
  };

  function issue(request: ServerRequest, url: URL): ServerResponse {
    const expected = `Basic ${Buffer.from(`${options.username}:${options.password}`).toString("base64")}`;
    const authorization = request.headers.get("authorization");
    if (authorization === null ? !options.anonymousPull : authorization !== expected) return refusal(401);
    if (url.searchParams.get("service") !== service) return refusal(400);
    const granted = url.searchParams
      .getAll("scope")
      .flatMap((scope) => scope.split(" "))
      .flatMap((scope) => {
        const [type, name, actions = ""] = scope.split(":");
        return actions.split(",").map((action) => `${type}:${name}:${action}`);
      })
      .filter((grant) => authorization !== null || grant.endsWith(":pull"));
    const token = `token-${grants.size + 1}`;
    grants.set(token, new Set(granted));
    return json(200, { token, expires_in: 300 });
  }
}

function neededGrants(method: string, url: URL): readonly string[] {
  const repository = /^\/v2\/(.+?)\/(?:blobs|manifests|tags|referrers)\//.exec(url.pathname)?.[1];
  if (repository === undefined) return url.pathname === "/v2/_catalog" ? ["registry:catalog:*"] : [];
  const action = method === "DELETE" && !url.pathname.includes("/uploads/") ? ["delete"] : [];
  const write = ["POST", "PUT", "PATCH"].includes(method) ? ["pull", "push"] : ["pull"];
  const from = url.searchParams.get("from");
  return [
    ...(action.length > 0 ? action : write).map((name) => `repository:${repository}:${name}`),
    ...(from === null ? [] : [`repository:${from}:pull`]),
  ];
}

function scopesOf(grants: readonly string[]): string {
  const byName = new Map<string, string[]>();
  for (const grant of grants) {
    const at = grant.lastIndexOf(":");
    byName.set(grant.slice(0, at), [...(byName.get(grant.slice(0, at)) ?? []), grant.slice(at + 1)]);
  }
  return [...byName].map(([name, actions]) => `${name}:${actions.join(",")}`).join(" ");
}

function refusal(status: number, challenge?: string): ServerResponse {
  const response = json(status, { errors: [{ code: "UNAUTHORIZED", message: "a token is needed" }] });
  return challenge === undefined
    ? response
    : { ...response, headers: { ...response.headers, "www-authenticate": challenge } };
}

function json(status: number, value: unknown): ServerResponse {
  return {
    status,
    headers: { "content-type": "application/json" },
    body: new TextEncoder().encode(JSON.stringify(value)),
  };
}
