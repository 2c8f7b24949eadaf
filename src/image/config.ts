import { LibraryError } from "../core/error.ts";
import { writeJson } from "../core/json.ts";
import type { ImageConfig } from "../oci/config.ts";
import type { Digest } from "../oci/digest.ts";
import type { Platform } from "../oci/platform.ts";

/** What is to be different in an image's configuration; what is absent stays as the base has it. */
export interface ConfigEdits {
  /** Also takes away the base's command, which was meant for another entrypoint, unless `cmd` is given: as builders do. */
  readonly entrypoint?: readonly string[] | undefined;
  readonly cmd?: readonly string[] | undefined;
  /** `[name, value]`; a name that the base has keeps its place. */
  readonly env?: readonly (readonly [string, string])[] | undefined;
  /** Absolute. */
  readonly workdir?: string | undefined;
  readonly user?: string | undefined;
  /** `8080/tcp`. */
  readonly expose?: readonly string[] | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
}

/** A layer as the configuration knows it. */
export interface AddedLayer {
  readonly diffId: Digest;
  readonly createdBy: string;
}

/** What a new configuration is made of. */
export interface ConfigParts {
  /** What the image builds on: a configuration and the number of layers of its manifest, or nothing but a platform. */
  readonly base: { readonly config: ImageConfig; readonly layers: number } | { readonly platform: Platform };
  readonly layers: readonly AddedLayer[];
  readonly edits: ConfigEdits;
  /** RFC 3339. */
  readonly created: string;
}

/** The order of image-spec v1.1.1, "OCI Image Configuration"; properties that are not there follow in code point order. */
const topOrder = [
  "created",
  "author",
  "architecture",
  "os",
  "os.version",
  "os.features",
  "variant",
  "config",
  "rootfs",
  "history",
];
const configOrder = [
  "User",
  "ExposedPorts",
  "Env",
  "Entrypoint",
  "Cmd",
  "Volumes",
  "WorkingDir",
  "Labels",
  "StopSignal",
];

/**
 * The bytes of a configuration: the base's with the edits and layers, one entry of the history for each layer and one
 * for all edits. Properties that this program does not know stay. Throws `malformed-content` where the base's
 * configuration does not list as many layers as its manifest has.
 */
export function makeConfig(parts: ConfigParts): Uint8Array {
  const base = "config" in parts.base ? parts.base : undefined;
  const diffIds = base?.config.rootfs.diff_ids ?? [];
  if (base && diffIds.length !== base.layers) {
    throw new LibraryError(
      "malformed-content",
      `Cannot use the base: its configuration lists ${diffIds.length} layers, its manifest ${base.layers}`,
    );
  }
  const value: Record<string, unknown> = {
    ...("config" in parts.base ? parts.base.config : parts.base.platform),
    created: parts.created,
    config: ordered(edited(base?.config.config ?? {}, parts.edits), configOrder),
    rootfs: { type: "layers", diff_ids: [...diffIds, ...parts.layers.map(({ diffId }) => diffId)] },
    history: history(base, parts),
  };
  return writeJson(ordered(value, topOrder));
}

function edited(base: NonNullable<ImageConfig["config"]>, edits: ConfigEdits): Record<string, unknown> {
  const value: Record<string, unknown> = { ...base };
  if (edits.entrypoint !== undefined) {
    value.Entrypoint = edits.entrypoint;
    delete value.Cmd;
  }
  if (edits.cmd !== undefined) value.Cmd = edits.cmd;
  if (edits.env && edits.env.length > 0) value.Env = environment(base.Env ?? [], edits.env);
  if (edits.workdir !== undefined) value.WorkingDir = edits.workdir;
  if (edits.user !== undefined) value.User = edits.user;
  if (edits.expose && edits.expose.length > 0) {
    const ports = Object.fromEntries(edits.expose.map((port) => [port, {}]));
    value.ExposedPorts = ordered({ ...base.ExposedPorts, ...ports }, []);
  }
  if (edits.labels && Object.keys(edits.labels).length > 0) {
    value.Labels = ordered({ ...base.Labels, ...edits.labels }, []);
  }
  return value;
}

function environment(base: readonly string[], edits: readonly (readonly [string, string])[]): readonly string[] {
  const values = new Map(base.map((entry) => [entry.split("=", 1)[0] ?? entry, entry]));
  for (const [name, value] of edits) values.set(name, `${name}=${value}`);
  return [...values.values()];
}

/** Names of edits as the history gives them: values could be secrets, and stand in the configuration anyway. */
function history(
  base: { readonly config: ImageConfig; readonly layers: number } | undefined,
  { layers, edits, created }: ConfigParts,
): readonly unknown[] {
  const names = Object.entries(edits).flatMap(([name, value]) => (isGiven(name, value) ? [name] : []));
  const config =
    names.length === 0 ? [] : [{ created, created_by: `library append ${names.join(", ")}`, empty_layer: true }];
  return [
    ...(base?.config.history ?? unknownHistory(base?.layers ?? 0)),
    ...layers.map(({ createdBy }) => ({ created, created_by: createdBy })),
    ...config,
  ];
}

/** The history has an entry for every layer or it misleads those who read it: a base without one gets empty entries. */
function unknownHistory(layers: number): readonly unknown[] {
  return Array.from({ length: layers }, () => ({ created_by: "base image" }));
}

/** Whether a setting says something: an empty entrypoint or command takes the base's away; any other empty value nothing. */
export function isGiven(name: string, value: unknown): boolean {
  if (value === undefined) return false;
  if (name === "entrypoint" || name === "cmd") return true;
  return typeof value !== "object" || (value !== null && Object.keys(value).length > 0);
}

/** The same object with the keys of `first` in front and the others in code point order; absent values left out. */
function ordered(value: Readonly<Record<string, unknown>>, first: readonly string[]): Record<string, unknown> {
  const others = Object.keys(value)
    .filter((key) => !first.includes(key))
    .sort();
  const result: Record<string, unknown> = {};
  for (const key of [...first, ...others]) {
    // Not by assignment: a label may be called __proto__
    if (Object.hasOwn(value, key) && value[key] !== undefined) {
      Object.defineProperty(result, key, { value: value[key], enumerable: true, writable: true, configurable: true });
    }
  }
  return result;
}
