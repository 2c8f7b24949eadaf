import { isLibraryError, LibraryError, UsageError } from "../core/error.ts";
import type { ExitStatus } from "../core/error-codes.ts";
import type { Event } from "../core/event.ts";
import type { Report } from "../core/report.ts";
import type { AnyCommand } from "./command.ts";
import { type CommandSection, commandSections } from "./commands.ts";
import { findCommand } from "./find.ts";
import { parseInput, parseShared, type SharedFlags } from "./input.ts";
import { Display } from "./output/display.ts";
import { errorEntries, internalError, renderError, toLibraryError } from "./output/errors.ts";
import { renderEnvelope, resultOf, type WarningEntry } from "./output/json.ts";
import { takesBars, takesColours, textStyle } from "./output/style.ts";
import { renderText } from "./output/text.ts";
import { parseCommandLine } from "./parse.ts";
import type { World } from "./world.ts";

/**
 * Runs one command line (`argv` without the program's name) and resolves to its exit status; nothing is thrown. The
 * result has been written to standard output, warnings and errors to standard error.
 */
export async function run(
  argv: readonly string[],
  world: World,
  sections: readonly CommandSection[] = commandSections,
): Promise<ExitStatus> {
  const line: Line = { command: "", ...flagsAtSight(argv), warnings: [], display: undefined };
  try {
    return await dispatch(argv, world, sections, line);
  } catch (thrown) {
    return await fail(thrown, world, line);
  }
}

/** Says what was thrown where nobody caught it, and gives the exit status for it: 70, or 130 after an interruption. */
export function reportCrash(thrown: unknown, argv: readonly string[], world: World): ExitStatus {
  const error = interruption(thrown, world.signal) ?? internalError(thrown, "");
  const style = textStyle(takesColours(world.env, world.stderrIsTerminal));
  world.writeStderr(renderError(error, style, { debug: flagsAtSight(argv).debug }));
  return error.exitStatus;
}

/** What is known of the command line so far, for whoever reports how it ended. */
interface Line {
  command: string;
  json: boolean;
  debug: boolean;
  readonly warnings: WarningEntry[];
  display: Display | undefined;
}

async function dispatch(
  argv: readonly string[],
  world: World,
  sections: readonly CommandSection[],
  line: Line,
): Promise<ExitStatus> {
  const commands = sections.flatMap((section) => section.commands);
  const found = findCommand(argv, commands);
  if (found.kind === "overview") {
    await writeStdout(world, await overviewOf(sections, found.group, helpColumns(world)));
    return 0;
  }
  if (found.kind === "nothing") {
    if (line.json) throw new UsageError("Cannot run a command: none is given", { hint: 'Run "library --help"' });
    await writeStdout(world, await overviewOf(sections, undefined, helpColumns(world)));
    return 2;
  }
  line.command = found.entry.name;
  const spec = await found.entry.load();
  if (asksForHelp(found.args)) return await writeCommandHelp(spec, world);
  const { own, shared } = parseCommandLine(spec, found.args);
  const flags = parseShared(spec, shared);
  if (flags.help) return await writeCommandHelp(spec, world);
  const input = parseInput(spec, own);
  return await execute(spec, input, flags, world, line);
}

async function execute(
  spec: AnyCommand,
  input: unknown,
  flags: SharedFlags,
  world: World,
  line: Line,
): Promise<ExitStatus> {
  const raw = spec.raw?.(input) === true;
  if (raw && flags.json) {
    line.json = false;
    throw new UsageError("Cannot use --json: standard output carries the content itself", {
      hint: "Write the content to a file with --output FILE, or leave --json out",
    });
  }
  const display = makeDisplay(world, flags, raw);
  line.display = display;
  const opened = await world.openContext({ network: flags.network, emit: (event) => emit(event, display, line) });
  let report: Report;
  try {
    const operation = await spec.run();
    report = await operation(opened.context, input);
    if (flags.digestFile !== undefined) await writeDigestFile(spec, report, flags.digestFile, world.cwd);
  } catch (thrown) {
    // Who reads has had enough, as `head` does
    if (raw && isBrokenPipe(thrown)) return 0;
    throw thrown;
  } finally {
    display.finish();
    await opened.close();
  }
  const exitCode = statusOf(report);
  if (flags.json) {
    const { status } = report;
    const result = resultOf(report);
    const { command, warnings } = line;
    await writeStdout(
      world,
      renderEnvelope({ schemaVersion: 1, command, status, exitCode, result, errors: [], warnings }),
    );
  } else if (!raw) {
    const style = textStyle(takesColours(world.env, world.stdoutIsTerminal));
    await writeStdout(world, renderText(spec, report, style));
  }
  return exitCode;
}

async function fail(thrown: unknown, world: World, line: Line): Promise<ExitStatus> {
  line.display?.finish();
  const error = interruption(thrown, world.signal) ?? toLibraryError(thrown, line.command);
  const { command, warnings } = line;
  const style = textStyle(takesColours(world.env, world.stderrIsTerminal));
  world.writeStderr(renderError(error, style, { debug: line.debug }));
  const exitCode = error.exitStatus;
  if (line.json) {
    const status = error.code === "interrupted" ? "interrupted" : "error";
    const envelope = { schemaVersion: 1, command, status, exitCode, errors: errorEntries(error), warnings } as const;
    await writeStdout(world, renderEnvelope(envelope)).catch((cause) => {
      world.writeStderr(renderError(toLibraryError(cause, command), style, { debug: line.debug }));
    });
  }
  return exitCode;
}

// Whatever an operation throws once the user has interrupted it comes of the interruption
function interruption(thrown: unknown, signal: AbortSignal): LibraryError | undefined {
  if (isLibraryError(thrown, "interrupted")) return thrown;
  if (!signal.aborted) return undefined;
  return signal.reason instanceof LibraryError
    ? signal.reason
    : new LibraryError("interrupted", "Interrupted", { cause: thrown });
}

function emit(event: Event, display: Display, line: Line): void {
  if (event.kind === "warning") line.warnings.push({ code: event.code, message: event.message });
  display.event(event);
}

function makeDisplay(world: World, flags: SharedFlags, raw: boolean): Display {
  const bars = takesBars(world.env, world.stderrIsTerminal);
  // Bars would be drawn between the bytes
  const mixes = raw && world.stdoutIsTerminal;
  return new Display({
    mode: flags.quiet || mixes ? "none" : bars ? "bars" : "lines",
    quiet: flags.quiet,
    debug: flags.debug,
    style: textStyle(takesColours(world.env, world.stderrIsTerminal)),
    columns: () => world.columns(),
    now: () => world.now(),
    write: (text) => world.writeStderr(text),
    every: (milliseconds, tick) => world.every(milliseconds, tick),
  });
}

function statusOf(report: Report): ExitStatus {
  switch (report.status) {
    case "ok":
      return 0;
    case "no":
      return 1;
    case "incomplete":
      return 3;
  }
}

// Before the parse, so that its errors too come as the flags say
function flagsAtSight(argv: readonly string[]): { json: boolean; debug: boolean } {
  const own = beforeTerminator(argv);
  return { json: own.includes("--json"), debug: own.includes("--debug") };
}

function asksForHelp(args: readonly string[]): boolean {
  return beforeTerminator(args).some((word) => word === "--help" || word === "-h");
}

function beforeTerminator(args: readonly string[]): readonly string[] {
  const end = args.indexOf("--");
  return end < 0 ? args : args.slice(0, end);
}

async function overviewOf(
  sections: readonly CommandSection[],
  group: string | undefined,
  columns: number,
): Promise<string> {
  const { loadOverview } = await import("./overview.ts");
  return await loadOverview(sections, group, columns);
}

function helpColumns(world: World): number {
  return world.stdoutIsTerminal ? Math.min(120, Math.max(60, world.columns())) : 80;
}

async function writeCommandHelp(spec: AnyCommand, world: World): Promise<ExitStatus> {
  const { commandHelp } = await import("./help-text.ts");
  await writeStdout(world, commandHelp(spec, helpColumns(world)));
  return 0;
}

// The reader may go away when it has seen enough; that is no failure of ours
async function writeStdout(world: World, text: string): Promise<void> {
  if (text === "") return;
  try {
    await world.writeStdout(text);
  } catch (thrown) {
    if (!isBrokenPipe(thrown)) throw thrown;
  }
}

function isBrokenPipe(thrown: unknown): boolean {
  // A connection to a registry can break the same way, and is not the reader of standard output
  if (thrown instanceof LibraryError && thrown.code !== "io-error") return false;
  for (let error = thrown; error instanceof Error; error = error.cause) {
    if ("code" in error && (error.code === "EPIPE" || error.code === "ERR_STREAM_DESTROYED")) return true;
  }
  return false;
}

async function writeDigestFile(spec: AnyCommand, report: Report, file: string, cwd: string): Promise<void> {
  const digest = spec.digest?.(report);
  if (digest === undefined) return;
  const { writeDigest } = await import("./digest-file.ts");
  await writeDigest(file, digest, cwd);
}
