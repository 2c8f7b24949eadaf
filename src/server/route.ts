import { isRepository } from "../oci/reference.ts";
import { refusal } from "./errors.ts";

/** What a request is about: distribution-spec v1.1.1, "Endpoints", and the catalog of the Docker registry API. */
export type Route =
  | { readonly kind: "ping" | "catalog" }
  | { readonly kind: "tags" | "uploads"; readonly repository: string }
  | { readonly kind: "upload"; readonly repository: string; readonly id: string }
  | { readonly kind: "blob" | "manifest" | "referrers"; readonly repository: string; readonly reference: string };

/** A route and its query. */
export interface Target {
  readonly route: Route;
  readonly query: URLSearchParams;
}

/**
 * The route of a request's target, percent-decoded component by component, so that no encoded slash or dot becomes one.
 * Throws a Refusal: 404 where nothing is served there, 400 NAME_INVALID for a repository that cannot be.
 */
export function parseTarget(target: string): Target {
  const mark = target.indexOf("?");
  const path = mark < 0 ? target : target.slice(0, mark);
  const query = new URLSearchParams(mark < 0 ? "" : target.slice(mark + 1));
  if (path === "/v2" || path === "/v2/") return { route: { kind: "ping" }, query };
  if (path === "/v2/_catalog") return { route: { kind: "catalog" }, query };
  if (!path.startsWith("/v2/")) throw unknownPath();
  return { route: parseRepositoryRoute(path.slice(4).split("/").map(decode)), query };
}

/** Whether a repository of this name can be kept: no component is a name that a layout uses for itself. */
export function isStorable(name: string): boolean {
  return isRepository(name) && !name.split("/").some((component) => reserved.has(component));
}

const reserved: ReadonlySet<string> = new Set(["blobs", "index.json", "oci-layout"]);

function parseRepositoryRoute(parts: readonly string[]): Route {
  const last = parts.at(-1) ?? "";
  const before = parts.at(-2);
  if (before === "uploads" && parts.at(-3) === "blobs") {
    const repository = name(parts.slice(0, -3));
    return last === "" ? { kind: "uploads", repository } : { kind: "upload", repository, id: last };
  }
  if (before === "blobs" && last === "uploads") return { kind: "uploads", repository: name(parts.slice(0, -2)) };
  if (before === "blobs") return { kind: "blob", repository: name(parts.slice(0, -2)), reference: last };
  if (before === "manifests") return { kind: "manifest", repository: name(parts.slice(0, -2)), reference: last };
  if (before === "referrers") return { kind: "referrers", repository: name(parts.slice(0, -2)), reference: last };
  if (before === "tags" && last === "list") return { kind: "tags", repository: name(parts.slice(0, -2)) };
  throw unknownPath();
}

function name(parts: readonly string[]): string {
  const joined = parts.join("/");
  if (parts.every((part) => !part.includes("/")) && isStorable(joined)) return joined;
  const known = isRepository(joined);
  throw refusal(400, "NAME_INVALID", known ? "a component of this name is reserved here" : "not a repository name", {
    detail: { name: joined.slice(0, 300) },
  });
}

function decode(part: string): string {
  if (!part.includes("%")) return part;
  try {
    return decodeURIComponent(part);
  } catch {
    throw refusal(400, "NAME_INVALID", "malformed percent-encoding");
  }
}

function unknownPath(): Error {
  return refusal(404, "UNSUPPORTED", "nothing is served at this path");
}
