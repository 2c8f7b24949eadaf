import type { CopyReport } from "../../operations/copy.ts";
import type { TextStyle } from "../command.ts";
import { formatBytes } from "./bytes.ts";

/** What arrived and under which names, and a line on what moved. */
export function copyText(report: CopyReport, style: TextStyle): string {
  const images = report.images.map(({ digest, tags }) => {
    const names = tags.length === 0 ? "" : ` (${tags.join(", ")})`;
    return `${style.bold(digest)}${names}`;
  });
  const counts = (["sent", "mounted", "linked", "present"] as const)
    .filter((outcome) => report.outcomes[outcome] > 0)
    .map((outcome) => `${report.outcomes[outcome]} ${outcome}`);
  const moved = `${counts.join(", ") || "nothing to copy"}; ${formatBytes(report.bytesSent)} moved`;
  return [`${report.source} -> ${report.destination}`, ...images, style.dim(moved)].join("\n");
}
