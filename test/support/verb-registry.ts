import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { runLibrary } from "./program.ts";
import { type RegistryKind, startRegistry } from "./registries.ts";
import { startServing } from "./serving.ts";

/** The registries of docs/registries.md, by their column heads. */
export const verbRegistries = {
  ours: "`library serve`",
  olareg: "olareg 0.1.2",
  distribution3: "distribution 3.1.2",
  distribution2: "distribution 2.8.2",
  crane: "crane registry 0.21.9",
} as const satisfies Readonly<Record<"ours" | RegistryKind, string>>;
export type VerbRegistryKind = keyof typeof verbRegistries;

/** User and password of those that ask for them. */
export const account = { username: "ci", password: "correct horse" } as const;

/** What the executable refused, by its code. */
export class Refused extends Error {
  readonly code: string;
  readonly exitCode: number;

  constructor(code: string, exitCode: number, message: string) {
    super(message);
    this.code = code;
    this.exitCode = exitCode;
  }
}

/** The parts of an envelope that tests look at. */
export interface Answer<R> {
  /** The command's report, without its status. */
  readonly result: R;
  readonly warnings: readonly { readonly code: string }[];
}

/** A registry under test, and what is done with it. */
export interface VerbRegistry {
  readonly kind: VerbRegistryKind;
  readonly host: string;
  /** The same program with `account` as its only user; undefined where it knows no users. */
  readonly guardedHost: string | undefined;
  /** A folder of its own. */
  readonly folder: string;
  /** Runs the executable with `--json`; throws Refused where its status is not 0. */
  library<R>(...argv: readonly string[]): Promise<Answer<R>>;
  stop(): Promise<void>;
}

/** Starts a registry, and a second with a password where it knows any; the caller stops both with `stop`. */
export async function startVerbRegistry(kind: VerbRegistryKind, folder: string): Promise<VerbRegistry> {
  const start = async (name: string, auth?: typeof account) => {
    const options = { dir: join(folder, name), ...(auth ? { auth } : {}) };
    await mkdir(options.dir, { recursive: true });
    return kind === "ours" ? startServing(options) : startRegistry(kind, options);
  };
  const open = await start("open");
  const guarded = kind === "olareg" || kind === "crane" ? undefined : await start("guarded", account);
  return {
    kind,
    host: open.host,
    guardedHost: guarded?.host,
    folder,
    library: (...argv) => runForAnswer(argv),
    stop: async () => {
      await guarded?.stop();
      await open.stop();
    },
  };
}

async function runForAnswer<R>(argv: readonly string[]): Promise<Answer<R>> {
  const { status, stdout, stderr } = await runLibrary([...argv, "--json"]);
  const { exitCode, errors, result, warnings } = JSON.parse(stdout.toString());
  if (exitCode !== status) throw new Error(`exit status ${status}, but the report says ${exitCode}: ${stderr}`);
  if (status !== 0) throw new Refused(errors[0]?.code ?? "none", status, `${argv.join(" ")}: ${errors[0]?.message}`);
  // The report that the command is documented to give; tests assert what they read of it
  return { result: result as R, warnings };
}
