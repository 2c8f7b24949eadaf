// Runs the parts of scripts/test.sh, some at a time, and sums what they did.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Counts, closingLine, countTests, skipReasons, sum } from "./test-results.ts";

/** Something that passes or fails as one, or a run of `bun test`. */
interface Part {
  readonly name: string;
  readonly kind: "check" | "tests";
  readonly argv: readonly [string, ...string[]];
  /** Names of parts that have to have passed before. */
  readonly needs?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** A failure outside CI is a skip: what depends on it skips with its own reason. */
  readonly optional?: boolean;
}

interface Result extends Counts {
  readonly output: string;
  readonly seconds: number;
}

const ci = process.env.CI === "true";
const jobs = Number(process.env.LIBRARY_TEST_JOBS ?? 2);
const partLimitMs = 20 * 60_000;
const scratch = mkdtempSync(join(tmpdir(), "library-test-"));
const groups = new Set<number>();

const withBinary = { LIBRARY_BINARY: join(process.cwd(), "dist", "library") };
/** Folders of tests that need more than the sources; all others are one part. */
const ownFolders = ["e2e", "interop", "runtime"];

const planned: readonly (Part | undefined)[] = [
  { name: "peers", kind: "check", argv: ["sh", "scripts/peers.sh"], optional: true },
  { name: "biome", kind: "check", argv: ["node_modules/.bin/biome", "ci", "."] },
  { name: "tsc", kind: "check", argv: ["node_modules/.bin/tsc", "--noEmit"] },
  // On Bun, so that Node.js need not be there
  { name: "knip", kind: "check", argv: ["bun", "--bun", "node_modules/.bin/knip"] },
  { name: "build", kind: "check", argv: ["sh", "scripts/build.sh"] },
  tests("unit", unitFolders(), []),
  // A share of them: all take minutes
  { name: "mutants", kind: "check", argv: ["bun", "scripts/mutants.ts", "--share", "16"] },
  tests("interop", ["interop"], ["peers", "build"]),
  tests("e2e", ["e2e"], ["peers", "build"]),
  tests("runtime", ["runtime"], ["peers", "build"]),
];
/** Without those that have no test yet. */
const parts = planned.filter((part) => part !== undefined);

process.exitCode = await main(process.argv.slice(2));

async function main(names: readonly string[]): Promise<number> {
  const unknown = names.find((name) => !parts.some((part) => part.name === name));
  if (unknown !== undefined) {
    console.error(`Cannot run ${unknown}: the parts are ${parts.map((part) => part.name).join(", ")}`);
    return 2;
  }
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => stop(signal));
  try {
    // Setting up was the first check, and without it nothing would run here
    const results = await runAll(names.length === 0 ? parts : withNeeds(names));
    const total = sum([{ passed: 1, failed: 0, skipped: 0 }, ...results]);
    for (const reason of new Set(results.flatMap((result) => skipReasons(result.output)))) console.log(reason);
    console.log(closingLine(total));
    return total.failed === 0 ? 0 : 1;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function tests(name: string, folders: readonly string[], needs: readonly string[]): Part | undefined {
  const existing = folders.map((folder) => `./test/${folder}/`).filter(hasTests);
  if (existing.length === 0) return undefined;
  return {
    name,
    kind: "tests",
    argv: ["bun", "test", "--timeout=30000", "--only-failures", ...existing],
    needs,
    env: withBinary,
  };
}

function unitFolders(): readonly string[] {
  const folders = readdirSync("test", { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return folders.map((folder) => folder.name).filter((name) => !ownFolders.includes(name));
}

function hasTests(folder: string): boolean {
  return existsSync(folder) && readdirSync(folder, { recursive: true }).some((name) => `${name}`.endsWith(".test.ts"));
}

function withNeeds(names: readonly string[]): readonly Part[] {
  const wanted = new Set(names);
  // Parts stand after what they need, so that one pass from the end finds all
  for (const part of parts.toReversed())
    if (wanted.has(part.name)) for (const need of part.needs ?? []) wanted.add(need);
  return parts.filter((part) => wanted.has(part.name));
}

async function runAll(selected: readonly Part[]): Promise<readonly Result[]> {
  const done = new Map<string, Promise<Result>>();
  const slots = semaphore(jobs);
  for (const part of selected) done.set(part.name, runWhenReady(part, done, slots));
  return Promise.all(done.values());
}

async function runWhenReady(part: Part, done: ReadonlyMap<string, Promise<Result>>, slots: Slots): Promise<Result> {
  for (const need of part.needs ?? []) {
    const before = await done.get(need);
    if (before && before.failed > 0) {
      return tell(part, { passed: 0, failed: 1, skipped: 0, output: `not run: ${need} failed\n`, seconds: 0 });
    }
  }
  const release = await slots();
  try {
    return tell(part, await run(part));
  } finally {
    release();
  }
}

function tell(part: Part, result: Result): Result {
  const { failed, seconds } = result;
  const what = part.kind === "tests" ? closingLine(result) : "";
  console.log(
    `${failed > 0 ? "FAIL" : "ok  "}  ${part.name.padEnd(8)} ${seconds.toFixed(1).padStart(6)} s  ${what}`.trimEnd(),
  );
  if (failed > 0) console.log(result.output);
  return result;
}

async function run(part: Part): Promise<Result> {
  const started = performance.now();
  const report = join(scratch, `${part.name}.xml`);
  const argv = part.kind === "tests" ? [...part.argv, "--reporter=junit", `--reporter-outfile=${report}`] : part.argv;
  const { status, output } = await execute(argv, part.env ?? {});
  const seconds = (performance.now() - started) / 1000;
  if (part.kind === "tests") {
    return { ...countTests(status, existsSync(report) ? readFileSync(report, "utf8") : undefined), output, seconds };
  }
  if (status === 0) return { passed: 1, failed: 0, skipped: 0, output, seconds };
  if (part.optional && !ci) {
    const reasons = output.split("\n").filter((line) => line.startsWith("missing"));
    const skips = reasons.map((line) => `skip: ${part.name}: ${line}`).join("\n");
    return { passed: 0, failed: 0, skipped: 1, output: `${output}\n${skips}\n`, seconds };
  }
  return { passed: 0, failed: 1, skipped: 0, output, seconds };
}

/** Runs `argv` in a process group of its own; 124 as the status where it was ended for taking too long. */
function execute(argv: readonly string[], env: Readonly<Record<string, string>>) {
  return new Promise<{ status: number; output: string }>((resolve) => {
    const [program = "", ...rest] = argv;
    const child = spawn(program, rest, {
      detached: true,
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    const keep = (chunk: string) => {
      output += chunk;
    };
    child.stdout.setEncoding("utf8").on("data", keep);
    child.stderr.setEncoding("utf8").on("data", keep);
    const group = child.pid;
    if (group !== undefined) groups.add(group);
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      if (group !== undefined) endGroup(group, "SIGKILL");
    }, partLimitMs);
    const end = (status: number, problem: string) => {
      clearTimeout(timer);
      if (group !== undefined) groups.delete(group);
      resolve({ status, output: output + problem });
    };
    child.on("error", (error) => end(127, `${error.message}\n`));
    child.on("close", (status) =>
      late ? end(124, `ended after ${partLimitMs / 60_000} minutes\n`) : end(status ?? 1, ""),
    );
  });
}

function endGroup(group: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-group, signal);
  } catch (error) {
    // It may have ended by itself in the meantime
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}

function stop(signal: NodeJS.Signals): void {
  for (const group of groups) endGroup(group, signal);
  rmSync(scratch, { recursive: true, force: true });
  process.exit(signal === "SIGINT" ? 130 : 143);
}

type Slots = () => Promise<() => void>;

function semaphore(count: number): Slots {
  let free = count;
  const waiting: (() => void)[] = [];
  return async () => {
    if (free > 0) free--;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    return () => {
      const next = waiting.shift();
      if (next) next();
      else free++;
    };
  };
}
