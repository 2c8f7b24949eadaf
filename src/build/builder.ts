import type { Io } from "../core/content.ts";
import { isLibraryError, ToolMissingError } from "../core/error.ts";
import type { Run } from "../core/ports.ts";
import type { BuilderCommand } from "./argv.ts";

const commands: readonly BuilderCommand[] = [["docker", "buildx"], ["buildx"]];
const answerMs = 20_000;

/** A builder that answered. */
export interface Builder {
  readonly command: BuilderCommand;
  /** The first line of `buildx version`. */
  readonly version: string;
}

/** `docker buildx`, else a standalone `buildx`; throws `tool-missing` where neither answers. */
export async function findBuilder(run: Run, io: Io): Promise<Builder> {
  for (const command of commands) {
    const version = await answer(run, [...command, "version"], io);
    if (version !== undefined) return { command, version };
  }
  throw new ToolMissingError("Cannot build: neither docker buildx nor a standalone buildx is there", {
    hint: 'Install buildx, or make the image without a builder: "library append -m MANIFEST --base REF --layer DIR:/prefix --entrypoint WORDS"',
  });
}

/** Whether a Docker engine answers, into which an image could be loaded. */
export async function hasEngine(run: Run, io: Io): Promise<boolean> {
  return (await answer(run, ["docker", "version", "--format", "{{.Server.Version}}"], io)) !== undefined;
}

/** The first line that the command writes; undefined where it is not there or fails. */
async function answer(run: Run, argv: readonly string[], io: Io): Promise<string | undefined> {
  const [program, ...rest] = argv;
  if (program === undefined) return undefined;
  try {
    const { status, stdout } = await run([program, ...rest], { signal: io.signal, timeoutMs: answerMs });
    return status === 0 ? (stdout.split("\n", 1)[0] ?? "").trim() : undefined;
  } catch (error) {
    if (isLibraryError(error, "tool-missing") || isLibraryError(error, "tool-failed")) return undefined;
    throw error;
  }
}
