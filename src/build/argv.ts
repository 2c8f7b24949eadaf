import type { Annotations } from "../oci/annotations.ts";
import { flagArgument, type GivenFlag } from "./guardrail.ts";
import { csvField } from "./output.ts";

/** The builder's command: `docker buildx` or a standalone `buildx`. */
export type BuilderCommand = readonly ["docker", "buildx"] | readonly ["buildx"];

/** What a buildx command line is made of; all paths absolute. */
export interface ArgvParts {
  readonly command: BuilderCommand;
  /** Absolute. */
  readonly dockerfile: string;
  /** Absolute. */
  readonly context: string;
  /** Full references. */
  readonly tags: readonly string[];
  /** As the manifest writes them: `os/arch[/variant][:osversion]`. */
  readonly platforms: readonly string[];
  /** On the config, and as annotations on the manifest and the index. */
  readonly labels: Annotations;
  /** The user's, after the guardrail. */
  readonly flags: readonly GivenFlag[];
  /** Absolute. */
  readonly metadataFile: string;
  /** `layout`: a folder that does not exist yet, absolute. `docker` gets no provenance: its exporter refuses it. */
  readonly export:
    | { readonly kind: "layout"; readonly path: string }
    | { readonly kind: "docker" | "other"; readonly output: string };
}

/**
 * The argv of one build. Every value is part of its flag's argument and the context is absolute, so that nothing a
 * manifest says is read as a flag. Provenance is always stated, since builders differ in their default and only an
 * export with provenance has an index to annotate.
 */
export function buildArgv(parts: ArgvParts): readonly [string, ...string[]] {
  const [program, ...subcommand] = parts.command;
  const provenance = provenanceOf(parts);
  const hasIndex = parts.platforms.length > 1 || provenance.made;
  const labels = Object.entries(parts.labels);
  const isDocker = parts.export.kind === "docker";
  return [
    program,
    ...subcommand,
    "build",
    `--file=${parts.dockerfile}`,
    ...parts.tags.map((tag) => `--tag=${tag}`),
    ...parts.platforms.map((platform) => `--platform=${buildxPlatform(platform)}`),
    `--output=${outputOf(parts.export)}`,
    ...(provenance.given ? [] : [`--provenance=${isDocker ? "false" : "mode=min"}`]),
    ...labels.map(([key, value]) => `--label=${key}=${value}`),
    ...(isDocker ? [] : labels.map(([key, value]) => `--annotation=manifest:${key}=${value}`)),
    ...(isDocker || !hasIndex ? [] : labels.map(([key, value]) => `--annotation=index:${key}=${value}`)),
    `--metadata-file=${parts.metadataFile}`,
    // buildx refuses both together
    ...(parts.flags.some(({ name }) => name === "progress" || name === "quiet") ? [] : ["--progress=rawjson"]),
    ...userFlags(parts).map(flagArgument),
    parts.context,
  ];
}

/** An argv for people: values that may be secrets replaced, quoted so that a shell could read it. */
export function displayArgv(argv: readonly string[]): string {
  return argv
    .map((word) => word.replace(/^(--build-arg=[^=]*(?:token|secret|passw|key|credential)[^=]*=).+$/i, "$1***"))
    .map((word) => (/^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`))
    .join(" ");
}

/** Whether the user's flags speak of provenance, and whether any is made; `mode=max` would publish build arguments. */
function provenanceOf({ flags, export: target }: ArgvParts): { readonly given: boolean; readonly made: boolean } {
  if (target.kind === "docker") return { given: false, made: false };
  const given = flags.filter(({ name, value }) => name === "provenance" || (name === "attest" && isProvenance(value)));
  const last = given.at(-1);
  if (last === undefined) return { given: false, made: true };
  const off =
    last.name === "provenance" ? last.value === "false" : /(^|,)disabled=(true|1)(,|$)/.test(last.value ?? "");
  return { given: true, made: !off };
}

function isProvenance(value: string | undefined): boolean {
  return /(^|,)"?type=provenance"?(,|$)/.test(value ?? "");
}

/** Attestations cannot go into a Docker image; everything else of the user's goes into every export. */
function userFlags({ flags, export: target }: ArgvParts): readonly GivenFlag[] {
  if (target.kind !== "docker") return flags;
  return flags.filter(({ name }) => name !== "provenance" && name !== "attest" && name !== "sbom");
}

function outputOf(target: ArgvParts["export"]): string {
  if (target.kind !== "layout") return target.output;
  // oci-artifact: older BuildKits write attestations without a subject unless they are told
  return `type=oci,tar=false,oci-artifact=true,${csvField(`dest=${target.path}`)}`;
}

/** containerd's form: the version of the system stands behind its name, `windows(10.0.20348.2031)/amd64`. */
function buildxPlatform(platform: string): string {
  const match = /^([^/]+)(\/.+):(.+)$/.exec(platform);
  return match ? `${match[1]}(${match[3]})${match[2]}` : platform;
}
