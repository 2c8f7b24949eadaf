import type { InspectedContent, InspectedImage, InspectedMember, InspectReport } from "../../operations/inspect.ts";
import type { TextStyle } from "../command.ts";
import { formatBytes } from "./bytes.ts";

/** A manifest, index or artifact for people: one fact a line, sections indented. */
export function inspectText(report: InspectReport, style: TextStyle): string {
  const lines = [
    `${style.bold(report.reference)}`,
    fact("type", report.artifactType ?? report.mediaType),
    ...(report.artifactType === undefined ? [] : [fact("manifest", report.mediaType)]),
    fact("size", `${report.size} bytes of manifest`),
    ...(report.subject ? [fact("subject", report.subject.digest)] : []),
    ...(report.image ? imageLines(report.image) : []),
    ...mapLines("annotations", report.annotations),
    ...memberLines(report.members),
    ...layerLines(report.layers),
  ];
  return lines.join("\n");
}

function fact(name: string, value: string): string {
  return `${`${name}:`.padEnd(13)}${value}`;
}

function imageLines(image: InspectedImage): string[] {
  const list = (name: string, value: readonly string[] | undefined): string[] =>
    value === undefined || value.length === 0 ? [] : [fact(name, JSON.stringify(value))];
  const one = (name: string, value: string | undefined): string[] => (value === undefined ? [] : [fact(name, value)]);
  return [
    ...one("platform", image.platform),
    ...one("created", image.created),
    ...list("entrypoint", image.entrypoint),
    ...list("cmd", image.cmd),
    ...one("workdir", image.workdir),
    ...one("user", image.user),
    ...list("env", image.env),
    ...mapLines("labels", image.labels),
  ];
}

function mapLines(name: string, map: Readonly<Record<string, string>> | undefined): string[] {
  const entries = Object.entries(map ?? {});
  return entries.length === 0 ? [] : [`${name}:`, ...entries.map(([key, value]) => `  ${key}: ${value}`)];
}

function memberLines(members: readonly InspectedMember[] | undefined): string[] {
  if (members === undefined) return [];
  return [
    "manifests:",
    ...members.map(({ digest, platform, artifactType, mediaType, contentSize }) => {
      const what = (platform ?? artifactType ?? mediaType).padEnd(18);
      return `  ${what} ${digest}${contentSize === undefined ? "" : `  ${formatBytes(contentSize)}`}`;
    }),
  ];
}

function layerLines(layers: readonly InspectedContent[] | undefined): string[] {
  if (layers === undefined) return [];
  return ["layers:", ...layers.map(({ digest, size, mediaType }) => `  ${digest}  ${formatBytes(size)}  ${mediaType}`)];
}
