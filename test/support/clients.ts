/** Where an image lies, as the clients are told of it. */
export type Place =
  | { readonly kind: "registry"; readonly host: string; readonly repository: string; readonly tag: string }
  | { readonly kind: "layout" | "archive"; readonly path: string; readonly tag: string };

export const clientNames = ["skopeo", "crane", "oras", "regctl"] as const;
export type ClientName = (typeof clientNames)[number];

/** How another program is asked for something; undefined where it has no such command. */
export interface Client {
  /** Prints the manifest's bytes, or only its digest. */
  readonly manifest: (place: Place) => readonly string[] | undefined;
  /** Copies everything into a new folder, checking digests. */
  readonly read: (from: Place, folder: string) => readonly string[] | undefined;
  /** Copies everything from a registry to that place. */
  readonly write: (from: Place, to: Place) => readonly string[] | undefined;
  /** The kinds of place from which it takes referrers along. */
  readonly referrers: readonly Place["kind"][];
}

/** What a client says where it cannot: `*` is every place, or at the end of a sample's name every one that begins so. */
export type Refusal = readonly [client: ClientName, place: string, sample: string, says: RegExp];

/** What this client says to this sample at this place; undefined where it does its work. */
export function refusalOf(
  all: readonly Refusal[],
  client: ClientName,
  place: string,
  sample: string,
): RegExp | undefined {
  const found = all.find(([who, at, what]) => who === client && matches(at, place) && matches(what, sample));
  return found?.[3];
}

function matches(pattern: string, name: string): boolean {
  return pattern.endsWith("*") ? name.startsWith(pattern.slice(0, -1)) : pattern === name;
}

/** The place as `library` writes it. */
export function libraryReference(place: Place): string {
  if (place.kind === "registry") return `${place.host}/${place.repository}:${place.tag}`;
  return `${place.kind === "layout" ? "oci" : "oci-archive"}:${place.path}:${place.tag}`;
}

export const clients: Readonly<Record<ClientName, Client>> = {
  skopeo: {
    manifest: (place) => ["inspect", "--raw", "--tls-verify=false", skopeoReference(place)],
    read: (from, folder) => skopeoCopy(skopeoReference(from), `dir:${folder}`),
    write: (from, to) => skopeoCopy(skopeoReference(from), skopeoReference(to)),
    referrers: [],
  },
  crane: {
    manifest: (place) => (place.kind === "registry" ? ["manifest", libraryReference(place)] : undefined),
    read: (from, folder) =>
      from.kind === "registry" ? ["pull", "--format=oci", libraryReference(from), folder] : undefined,
    write: (from, to) => {
      if (to.kind === "registry") return ["copy", libraryReference(from), libraryReference(to)];
      return to.kind === "layout" ? ["pull", "--format=oci", libraryReference(from), to.path] : undefined;
    },
    referrers: [],
  },
  oras: {
    manifest: (place) => ["manifest", "fetch", ...orasPlace("", place), orasReference(place)],
    read: (from, folder) => orasCopy(from, { kind: "layout", path: folder, tag: "1" }),
    write: (from, to) =>
      to.kind === "archive"
        ? ["backup", "--include-referrers", "--plain-http", "--output", to.path, orasReference(from)]
        : orasCopy(from, to),
    referrers: ["registry", "layout", "archive"],
  },
  regctl: {
    manifest: (place) =>
      place.kind === "archive"
        ? undefined
        : [...regctlHosts(place), "manifest", "get", "--format", "raw-body", regctlReference(place)],
    read: (from, folder) =>
      from.kind === "archive"
        ? ["image", "import", "--name", from.tag, `ocidir://${folder}:1`, from.path]
        : regctlCopy(from, { kind: "layout", path: folder, tag: "1" }),
    write: (from, to) =>
      to.kind === "archive"
        ? [...regctlHosts(from), "image", "export", regctlReference(from), to.path]
        : regctlCopy(from, to),
    // In layouts it looks for fallback tags alone
    referrers: ["registry"],
  },
};

function skopeoReference(place: Place): string {
  return place.kind === "registry" ? `docker://${libraryReference(place)}` : libraryReference(place);
}

function skopeoCopy(from: string, to: string): readonly string[] {
  const plain = ["--src-tls-verify=false", "--dest-tls-verify=false"];
  return ["--insecure-policy", "copy", "--quiet", "--all", "--preserve-digests", ...plain, from, to];
}

function orasReference(place: Place): string {
  return place.kind === "registry" ? libraryReference(place) : `${place.path}:${place.tag}`;
}

function orasPlace(side: "" | "from-" | "to-", place: Place): readonly string[] {
  return [place.kind === "registry" ? `--${side}plain-http` : `--${side}oci-layout`];
}

function orasCopy(from: Place, to: Place): readonly string[] {
  const places = [...orasPlace("from-", from), orasReference(from), ...orasPlace("to-", to), orasReference(to)];
  return ["copy", "--recursive", ...places];
}

function regctlReference(place: Place): string {
  return place.kind === "registry" ? libraryReference(place) : `ocidir://${place.path}:${place.tag}`;
}

function regctlHosts(...places: readonly Place[]): readonly string[] {
  const hosts = places.flatMap((place) => (place.kind === "registry" ? [place.host] : []));
  return [...new Set(hosts)].flatMap((host) => ["--host", `reg=${host},tls=disabled`]);
}

function regctlCopy(from: Place, to: Place): readonly string[] {
  return [...regctlHosts(from, to), "image", "copy", "--referrers", regctlReference(from), regctlReference(to)];
}
