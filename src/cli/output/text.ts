import type { Report } from "../../core/report.ts";
import type { AnyCommand, TextStyle } from "../command.ts";
import { visible } from "./visible.ts";

/** The report as text for standard output, with a line end; empty where there is nothing to say. */
export function renderText(spec: AnyCommand, report: Report, style: TextStyle): string {
  const text = visible(spec.text(report, style), { keepStyle: style.bold("") !== "" });
  return text === "" || text.endsWith("\n") ? text : `${text}\n`;
}
