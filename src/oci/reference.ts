import { UsageError } from "../core/error.ts";
import { type Digest, isDigest } from "./digest.ts";

/** A repository of a registry. `registry` is `host[:port]`, `repository` its full name without a host. */
export interface RegistryLocation {
  readonly kind: "registry";
  readonly registry: string;
  readonly repository: string;
}

/** An OCI layout (a folder) or an archive of one (a tar, possibly compressed); `path` as the user wrote it. */
export interface FileLocation {
  readonly kind: "layout" | "archive";
  readonly path: string;
}

/** Where content lies. */
export type Location = RegistryLocation | FileLocation;

/** A location and what is meant there; where both are given, the digest wins. */
export interface Reference {
  readonly location: Location;
  readonly tag?: string;
  readonly digest?: Digest;
}

/** The schemes that are understood; the first of a kind is the one that is printed. */
const schemes: readonly (readonly [prefix: string, kind: Location["kind"]])[] = [
  ["oci-archive:", "archive"],
  ["oci-layout://", "layout"],
  ["ocidir://", "layout"],
  ["oci:", "layout"],
  ["docker://", "registry"],
];

const nameGrammar = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const tagGrammar = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;
const layoutNameGrammar = /^[A-Za-z0-9]+(?:(?:[-._:@+]|--)[A-Za-z0-9]+)*$/;
const hostLabel = "(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])";
const hostGrammar = new RegExp(`^(?:${hostLabel}(?:\\.${hostLabel})*|\\[[0-9a-fA-F:.]+\\])(?::[0-9]{1,5})?$`);
const maxNameLength = 255;

/** Whether `text` may be a tag: distribution-spec v1.1.1, "Pulling manifests". */
export function isTag(text: string): boolean {
  return tagGrammar.test(text);
}

/** Whether `text` may be a repository's name: distribution-spec v1.1.1, "Pulling manifests". */
export function isRepository(text: string): boolean {
  return text.length <= maxNameLength && nameGrammar.test(text);
}

/** Whether `text` may be a registry: a host name, an IPv4 address or an IPv6 address in brackets, and a port. */
export function isRegistry(text: string): boolean {
  if (!hostGrammar.test(text)) return false;
  const port = /:([0-9]{1,5})$/.exec(text.replace(/^\[.*\]/, ""))?.[1];
  return port === undefined || (Number(port) > 0 && Number(port) < 65536);
}

/**
 * A reference as the user wrote it: `host[:port]/repo[:tag][@digest]` (no host: docker.io; neither tag nor digest:
 * `latest`), `oci:DIR[:tag][@digest]` or `oci-archive:FILE[:tag][@digest]`, with the spellings of other tools accepted.
 * Throws `invalid-reference`; nothing outside the grammar reaches a path or a URL.
 */
export function parseReference(text: string): Reference {
  const reference = parseExplicitReference(text);
  const named = reference.tag !== undefined || reference.digest !== undefined;
  return named || reference.location.kind !== "registry" ? reference : { ...reference, tag: "latest" };
}

/**
 * A reference whose tag means something only where it was written: as a destination, or where `latest` by default would
 * be a surprise. As `parseReference`, but neither tag nor digest is added.
 */
export function parseExplicitReference(text: string): Reference {
  refuseControls(text);
  const scheme = schemes.find(([prefix]) => text.startsWith(prefix));
  const rest = scheme ? text.slice(scheme[0].length) : text;
  if (scheme && scheme[1] !== "registry") return parseFileReference(text, rest, scheme[1]);
  return parseRegistryReference(text, rest);
}

/** The location that `text` names, which must hold neither tag nor digest; for commands on a whole repository or layout. */
export function parseLocation(text: string): Location {
  const { location, tag, digest } = parseExplicitReference(text);
  if (tag !== undefined || digest !== undefined) {
    throw invalid(text, "a tag or digest where a whole repository is meant", `Write "${formatLocation(location)}"`);
  }
  return location;
}

/** A registry alone, as `ping` and `login` take it; the schemes and slash of a URL are dropped. Throws `invalid-reference`. */
export function parseRegistry(text: string): string {
  const host = text.replace(/^(?:docker|https?):\/\//, "").replace(/\/+$/, "");
  const name = host === "index.docker.io" ? "docker.io" : host;
  if (!isRegistry(name)) throw invalid(text, "not a registry", 'Write the host alone, as "registry.example.org:5000"');
  return name;
}

/** The reference as `parseReference` reads it back. */
export function formatReference(reference: Reference): string {
  const tag = reference.tag === undefined ? "" : `:${reference.tag}`;
  const digest = reference.digest === undefined ? "" : `@${reference.digest}`;
  return `${formatLocation(reference.location)}${tag}${digest}`;
}

/** The location as messages and reports name it: `registry.example.org/app`, `oci:./dist`, `oci-archive:app.tar`. */
export function formatLocation(location: Location): string {
  if (location.kind === "registry") return `${location.registry}/${location.repository}`;
  return `${location.kind === "layout" ? "oci:" : "oci-archive:"}${location.path}`;
}

/** What other tools write before a place that this program does not have, with what to do instead. */
const foreignTransports: Readonly<Record<string, (path: string) => string>> = {
  "docker-archive": (path) => `Convert it: skopeo copy docker-archive:${path} oci-archive:converted.tar`,
  "docker-daemon": (name) => `Convert it: skopeo copy docker-daemon:${name} oci-archive:converted.tar`,
  "containers-storage": (name) => `Convert it: skopeo copy containers-storage:${name} oci-archive:converted.tar`,
  dir: (path) => `Convert it: skopeo copy dir:${path} oci-archive:converted.tar`,
  "oci-dir": (path) => `Write "oci:${path}"`,
  oci_archive: (path) => `Write "oci-archive:${path}"`,
};

/** A file or a host alone would else be taken for a repository of docker.io. */
function refuseMistaken(whole: string): void {
  const colon = whole.indexOf(":");
  const after = whole.slice(colon + 1);
  const transport = colon < 0 ? "" : whole.slice(0, colon);
  // A host may be called "dir" and have a port
  if (Object.hasOwn(foreignTransports, transport) && !/^[0-9]{1,5}\//.test(after)) {
    throw invalid(whole, `"${transport}:" is not a kind of place here`, foreignTransports[transport]?.(after));
  }
  if (/^(?:~|\.{0,2})\//.test(whole)) {
    const scheme = archiveName.test(whole) ? "oci-archive" : "oci";
    throw invalid(whole, "a path without the kind of place", `Write "${scheme}:${whole}"`);
  }
  const slash = whole.indexOf("/");
  if ((slash < 0 || !isHost(whole.slice(0, slash))) && archiveName.test(whole)) {
    throw invalid(whole, "the name of a file without the kind of place", `Write "oci-archive:${whole}"`);
  }
  const bare = whole.replace(/\/$/, "");
  if (
    bare === "localhost" ||
    /^(?:localhost|(?:[0-9]{1,3}\.){3}[0-9]{1,3}|\[[0-9a-fA-F:.]+\]|[^/:]+\.[^/:]+):[0-9]{2,5}$/.test(bare)
  ) {
    throw invalid(whole, "a registry alone", `Name a repository, as ${bare}/app`);
  }
}

/** Up to an optional tag and digest. */
const archiveName = /\.(?:tar|tar\.gz|tgz|tar\.zst)(?::[^/]*)?$/;

/** Whether what stands before the first "/" is a host: as Docker decides it. */
function isHost(first: string): boolean {
  return /[.:]/.test(first) || first === "localhost" || first !== first.toLowerCase();
}

function parseRegistryReference(whole: string, text: string): Reference {
  if (whole === text) refuseMistaken(whole);
  const at = text.indexOf("@");
  const digest = at < 0 ? undefined : text.slice(at + 1);
  if (digest !== undefined && !isDigest(digest)) {
    throw invalid(
      whole,
      "what follows the @ is not a digest",
      "Write it as @sha256: and 64 lower-case hexadecimal digits",
    );
  }
  const named = at < 0 ? text : text.slice(0, at);
  const slash = named.indexOf("/");
  const first = slash < 0 ? "" : named.slice(0, slash);
  const hasHost = slash >= 0 && isHost(first);
  const registry = hasHost ? first : "docker.io";
  const path = hasHost ? named.slice(slash + 1) : named;
  const colon = path.lastIndexOf(":");
  const tag = colon < 0 ? undefined : path.slice(colon + 1);
  const name = colon < 0 ? path : path.slice(0, colon);
  if (!isRegistry(registry)) throw invalid(whole, `"${registry}" is not a registry`);
  if (/^[0-9a-f]{64}$/.test(name)) {
    throw invalid(
      whole,
      "64 hexadecimal digits are no repository",
      `For a digest, write the repository and @sha256:${name}`,
    );
  }
  if (!isRepository(name) || `${registry}/${name}`.length > maxNameLength) {
    const lower = isRepository(name.toLowerCase())
      ? `Write "${whole.replace(name, () => name.toLowerCase())}"`
      : undefined;
    throw invalid(
      whole,
      `${JSON.stringify(name.slice(0, 160))} is not a repository${lower ? ": it has upper case" : ""}`,
      lower,
    );
  }
  if (tag !== undefined && !isTag(tag)) throw invalid(whole, `${JSON.stringify(tag.slice(0, 160))} is not a tag`);
  const canonical = registry === "index.docker.io" ? "docker.io" : registry;
  const repository = canonical === "docker.io" && !name.includes("/") ? `library/${name}` : name;
  return {
    location: { kind: "registry", registry: canonical, repository },
    ...(tag === undefined ? {} : { tag }),
    ...(digest === undefined ? {} : { digest }),
  };
}

function parseFileReference(whole: string, text: string, kind: FileLocation["kind"]): Reference {
  const at = text.lastIndexOf("@");
  const suffix = at < 0 ? "" : text.slice(at + 1);
  const hasDigest = suffix.includes(":") && !suffix.includes("/");
  if (hasDigest && !isDigest(suffix)) {
    throw invalid(
      whole,
      "what follows the @ is not a digest",
      "Write it as @sha256: and 64 lower-case hexadecimal digits",
    );
  }
  const named = hasDigest ? text.slice(0, at) : text;
  const colon = named.lastIndexOf(":");
  const hasTag = colon >= 0 && !named.slice(colon).includes("/");
  const path = hasTag ? named.slice(0, colon) : named;
  const tag = hasTag ? named.slice(colon + 1) : undefined;
  if (path === "")
    throw invalid(whole, "no path", `Write it as "${kind === "layout" ? "oci:DIR:tag" : "oci-archive:FILE:tag"}"`);
  if (tag !== undefined && !layoutNameGrammar.test(tag) && !isTag(tag)) {
    throw invalid(whole, `${JSON.stringify(tag.slice(0, 160))} is not a name of a layout's entry`);
  }
  // The grammar was checked by isDigest above
  const digest = hasDigest ? (suffix as Digest) : undefined;
  return {
    location: { kind, path },
    ...(tag === undefined ? {} : { tag }),
    ...(digest === undefined ? {} : { digest }),
  };
}

function refuseControls(text: string): void {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(text)) throw invalid(text, "a control character");
}

function invalid(text: string, problem: string, hint?: string): UsageError {
  return new UsageError(`Cannot read reference ${JSON.stringify(text.slice(0, 300))}: ${problem}`, {
    code: "invalid-reference",
    hint: hint ?? 'Write it as "host/repository:tag", "oci:DIR:tag" or "oci-archive:FILE:tag"',
  });
}
