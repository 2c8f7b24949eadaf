import type { AnyCommand, OptionSpec } from "./command.ts";

/** Options by their key in camelCase. */
export type Options = Readonly<Record<string, OptionSpec>>;

/** The flags that every command takes. */
export const commonOptions = {
  json: { kind: "flag", description: "Print one JSON document on standard output, for results and errors alike" },
  quiet: { kind: "flag", short: "q", description: "Show no progress on standard error" },
  debug: { kind: "flag", description: "Show requests, decisions and stacks on standard error" },
  help: { kind: "flag", short: "h", description: "Show this help" },
} as const satisfies Options;

/** The flags of every command that talks to registries. */
export const registryOptions = {
  plainHttp: { kind: "flag", description: "Speak plain http to every registry (loopback addresses need no flag)" },
  insecureRegistry: {
    kind: "values",
    placeholder: "HOST",
    description: "Do not check the certificate of this registry, and allow plain http to it",
  },
  caFile: {
    kind: "values",
    placeholder: "FILE",
    description: "Trust the certificates of this PEM file besides the system's",
  },
  authfile: {
    kind: "value",
    placeholder: "FILE",
    description: "Read and write credentials in this file instead of Docker's and containers'",
  },
  concurrency: {
    kind: "value",
    placeholder: "N",
    description: "Move this many manifests and blobs at a time, 1 to 64",
    default: "16",
  },
} as const satisfies Options;

const { concurrency: _, ...askingOptions } = registryOptions;

/** The flag of every command whose result has a digest. */
export const digestOptions = {
  digestFile: { kind: "value", placeholder: "FILE", description: "Write the digest of the result to this file" },
} as const satisfies Options;

/** Options under the heading that help gives them; the headings have an order. */
export interface OptionGroup {
  readonly heading: string;
  readonly options: Options;
}

/** Every option that the command takes, its own first. */
export function optionGroups(spec: AnyCommand): readonly OptionGroup[] {
  const groups: OptionGroup[] = [];
  const own = { ...spec.options, ...(spec.digest === undefined ? {} : digestOptions) };
  if (Object.keys(own).length > 0) groups.push({ heading: "Flags", options: own });
  if (spec.network === true) groups.push({ heading: "Registry flags", options: registryOptions });
  if (spec.network === "asking") groups.push({ heading: "Registry flags", options: askingOptions });
  groups.push({ heading: "Common flags", options: commonOptions });
  return groups;
}

/** Every option that the command takes, by its key. */
export function allOptions(spec: AnyCommand): Options {
  return Object.assign({}, ...optionGroups(spec).map((group) => group.options));
}

/** `dryRun` as it is written: `--dry-run`. */
export function flagName(key: string): string {
  return `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** The values that a placeholder such as `gzip|zstd` lists; undefined for any other. */
export function choicesOf(placeholder: string | undefined): readonly string[] | undefined {
  return placeholder !== undefined && /^[a-z0-9-]+(\|[a-z0-9-]+)+$/.test(placeholder)
    ? placeholder.split("|")
    : undefined;
}
