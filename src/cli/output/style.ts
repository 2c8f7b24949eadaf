import type { TextStyle } from "../command.ts";

/** The environment of a process. */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Whether a stream takes colours: a terminal that is not dumb, unless `NO_COLOR` is set; `FORCE_COLOR` (not 0 or
 * false) wants them anywhere. no-color.org: any value that is not empty counts, and it wins.
 */
export function takesColours(env: Environment, isTerminal: boolean): boolean {
  if (isSet(env.NO_COLOR)) return false;
  if (isSet(env.FORCE_COLOR)) return env.FORCE_COLOR !== "0" && env.FORCE_COLOR !== "false";
  return isTerminal && env.TERM !== "dumb";
}

/** Whether lines may be drawn over: a terminal that is not dumb, outside CI. */
export function takesBars(env: Environment, isTerminal: boolean): boolean {
  return isTerminal && env.TERM !== "dumb" && !(isSet(env.CI) && env.CI !== "false");
}

/** A style with colours, or the one that changes nothing. */
export function textStyle(colours: boolean): TextStyle {
  const wrap = (on: number, off: number) => (text: string) => (colours ? `\u001b[${on}m${text}\u001b[${off}m` : text);
  return { bold: wrap(1, 22), dim: wrap(2, 22), red: wrap(31, 39), green: wrap(32, 39), yellow: wrap(33, 39) };
}

function isSet(value: string | undefined): boolean {
  return value !== undefined && value !== "";
}
