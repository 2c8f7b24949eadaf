/** How many values a flag of `buildx build` takes, and who decides about it. */
export interface BuildxFlag {
  /** `value`: the rest of the argument or the next one; `none`: only after `=`. */
  readonly takes: "value" | "none";
  /** `manifest`: the library manifest says it; `program`: this program reads or decides it; `policy`: see guardrail.ts. */
  readonly owner: "manifest" | "program" | "policy" | "user";
  readonly short?: string;
}

const user = { takes: "value", owner: "user" } as const;
const userSwitch = { takes: "none", owner: "user" } as const;
const manifest = { takes: "value", owner: "manifest" } as const;
const policy = { takes: "value", owner: "policy" } as const;

/**
 * Every flag of `buildx build` (0.36.1, hidden and legacy ones too): what is not in here is refused, since without its
 * number of values what follows it cannot be told from another flag.
 */
export const buildxFlags: Readonly<Record<string, BuildxFlag>> = {
  file: { ...manifest, short: "f" },
  tag: { ...manifest, short: "t" },
  platform: manifest,
  label: manifest,
  annotation: manifest,
  output: { ...manifest, short: "o" },
  push: { takes: "none", owner: "manifest" },
  load: { takes: "none", owner: "manifest" },
  "metadata-file": { takes: "value", owner: "program" },
  iidfile: { takes: "value", owner: "program" },
  call: { takes: "value", owner: "program" },
  print: { takes: "value", owner: "program" },
  check: { takes: "none", owner: "program" },
  help: { takes: "none", owner: "program", short: "h" },
  attest: policy,
  sbom: policy,
  provenance: policy,
  allow: policy,
  policy,
  // Only the value `host` is the policy's
  network: policy,
  "add-host": user,
  "build-arg": user,
  "build-context": user,
  builder: user,
  "cache-from": user,
  "cache-to": user,
  "cgroup-parent": user,
  "no-cache": userSwitch,
  "no-cache-filter": user,
  progress: user,
  pull: userSwitch,
  quiet: { ...userSwitch, short: "q" },
  resource: user,
  secret: user,
  "shm-size": user,
  ssh: user,
  target: user,
  ulimit: user,
  debug: { ...userSwitch, short: "D" },
  memory: { ...user, short: "m" },
  "memory-swap": user,
  "cpu-shares": { ...user, short: "c" },
  "cpu-period": user,
  "cpu-quota": user,
  "cpuset-cpus": user,
  "cpuset-mems": user,
  compress: userSwitch,
  isolation: user,
  "security-opt": user,
  squash: userSwitch,
  rm: userSwitch,
  "force-rm": userSwitch,
};

/** The name of the flag that a single letter stands for. */
export const buildxShorthands: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(buildxFlags).flatMap(([name, { short }]) => (short === undefined ? [] : [[short, name]])),
);
