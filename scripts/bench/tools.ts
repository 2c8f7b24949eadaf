import { existsSync } from "node:fs";
import { peer } from "../../test/support/peers.ts";
import { contentTag } from "./content.ts";

/** A repository of the registry, with the tag that is pushed and pulled. */
export interface Place {
  readonly host: string;
  readonly repository: string;
}

/** One of the programs that are compared. */
export interface Tool {
  readonly name: string;
  readonly path: string;
  readonly version: readonly string[];
  /** Undefined where it is only started. */
  readonly copies?: {
    readonly push: (layout: string, place: Place) => readonly string[];
    readonly pull: (place: Place, layout: string) => readonly string[];
  };
}

/** The tool that the others are the peers of. */
export const subject = "library";

/** Programs of others that are looked for. */
const peers = ["crane", "oras", "regctl", "skopeo", "buildx", "cosign"] as const;

/** The tools that are here, the product first; all copies are with each tool's defaults, and complete. */
export function findTools(binary: string): readonly Tool[] {
  if (!existsSync(binary)) throw new Error(`Cannot run ${binary}: it does not exist. Run "sh scripts/build.sh"`);
  const found = [{ name: subject, path: binary }, ...peers.map((name) => ({ name, path: peer(name) }))];
  return found.flatMap(({ name, path }) => {
    if (path === undefined) return [];
    const { version = ["version"], copies } = ways[name]?.(path) ?? {};
    return [{ name, path, version: [path, ...version], ...(copies ? { copies } : {}) }];
  });
}

/** How to ask a program for what is compared; `version` is its argument for that where it is another. */
interface Ways extends Pick<Tool, "copies"> {
  readonly version?: readonly string[];
}

const ways: Readonly<Record<string, (path: string) => Ways>> = {
  [subject]: (path) => ({
    copies: {
      push: (layout, place) => [path, "copy", "--quiet", `oci:${layout}:${contentTag}`, nameOf(place)],
      pull: (place, layout) => [path, "pull", "--quiet", "--output", layout, nameOf(place)],
    },
  }),
  crane: (path) => ({
    copies: {
      push: (layout, place) => [path, "push", layout, nameOf(place)],
      pull: (place, layout) => [path, "pull", "--format=oci", nameOf(place), layout],
    },
  }),
  oras: (path) => ({
    copies: {
      push: (layout, place) => {
        const from = ["--from-oci-layout", `${layout}:${contentTag}`];
        return [path, "cp", "--no-tty", "--to-plain-http", ...from, nameOf(place)];
      },
      pull: (place, layout) => {
        const to = ["--to-oci-layout", `${layout}:${contentTag}`];
        return [path, "cp", "--no-tty", "--from-plain-http", nameOf(place), ...to];
      },
    },
  }),
  regctl: (path) => ({
    copies: {
      push: (layout, place) => [...regctl(path, place), `ocidir://${layout}:${contentTag}`, nameOf(place)],
      pull: (place, layout) => [...regctl(path, place), nameOf(place), `ocidir://${layout}:${contentTag}`],
    },
  }),
  skopeo: (path) => ({
    version: ["--version"],
    copies: {
      push: (layout, place) => {
        const to = ["--dest-tls-verify=false", `oci:${layout}:${contentTag}`, `docker://${nameOf(place)}`];
        return [path, "--insecure-policy", "copy", "--quiet", "--all", ...to];
      },
      pull: (place, layout) => {
        const from = ["--src-tls-verify=false", `docker://${nameOf(place)}`, `oci:${layout}:${contentTag}`];
        return [path, "--insecure-policy", "copy", "--quiet", "--all", ...from];
      },
    },
  }),
};

function regctl(path: string, { host }: Place): readonly string[] {
  return [path, "--host", `reg=${host},tls=disabled`, "image", "copy"];
}

function nameOf({ host, repository }: Place): string {
  return `${host}/${repository}:${contentTag}`;
}
