import type { ExitStatus } from "../../core/error-codes.ts";
import type { Report } from "../../core/report.ts";
import type { ErrorEntry } from "./errors.ts";

/** A warning as the envelope lists it. */
export interface WarningEntry {
  readonly code: string;
  readonly message: string;
}

/** The one JSON document that `--json` prints, for results and errors alike. */
export interface Envelope {
  readonly schemaVersion: 1;
  /** As `push image`; empty where no command was found. */
  readonly command: string;
  /** The report's status, or how it ended without one. */
  readonly status: Report["status"] | "error" | "interrupted";
  readonly exitCode: ExitStatus;
  /** The report without its status; absent where there is none. */
  readonly result?: Readonly<Record<string, unknown>>;
  readonly errors: readonly ErrorEntry[];
  readonly warnings: readonly WarningEntry[];
}

/** The envelope as text with a line end; what a terminal could obey is escaped. */
export function renderEnvelope(envelope: Envelope): string {
  // JSON.stringify leaves DEL, C1 and the bidirectional controls as they are
  const json = JSON.stringify(envelope, undefined, 2).replace(
    /[\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  return `${json}\n`;
}

/** What `result` holds of a report. */
export function resultOf(report: Report): Readonly<Record<string, unknown>> {
  const { status: _, ...result } = report;
  return result;
}
