// Switches off each check that guards trust and integrity in turn; a test must fail each time.
//
//   bun scripts/mutants.ts [NAME…]           all, or those whose name begins so
//   bun scripts/mutants.ts --share N         N of them, chosen by $LIBRARY_TEST_SEED (1)
import { spawn } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Mutant, mutants } from "./mutants/table.ts";

const root = new URL("..", import.meta.url).pathname;
const copied = ["src", "test", "schema", "package.json", "tsconfig.json", "bunfig.toml"];
const limitMs = 3 * 60_000;
const jobs = Number(process.env.LIBRARY_TEST_JOBS ?? 2);
const trees: string[] = [];
const groups = new Set<number>();

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    for (const group of groups) end(group);
    clean();
    process.exit(signal === "SIGINT" ? 130 : 143);
  });
}

process.exitCode = await main(process.argv.slice(2));

async function main(argv: readonly string[]): Promise<number> {
  const chosen = choose(argv);
  if (chosen.length === 0) {
    console.error(`Cannot run ${argv.join(" ")}: no mutant has such a name`);
    return 2;
  }
  const waiting = [...chosen];
  const survivors: string[] = [];
  try {
    await Promise.all(
      Array.from({ length: Math.min(jobs, chosen.length) }, async () => {
        const tree = copyTree();
        // Whether the tests of a mutant pass without it, asked once
        const sound = new Map<string, Promise<Outcome>>();
        for (let mutant = waiting.shift(); mutant; mutant = waiting.shift()) {
          const problem = await survival(tree, mutant, sound);
          if (problem === undefined) continue;
          survivors.push(mutant.name);
          console.log(`survived: ${mutant.name} (${mutant.file}): ${problem}`);
        }
      }),
    );
  } finally {
    clean();
  }
  console.log(`${chosen.length - survivors.length} mutants caught, ${survivors.length} survived`);
  return survivors.length === 0 ? 0 : 1;
}

function choose(argv: readonly string[]): readonly Mutant[] {
  if (argv[0] !== "--share") {
    return argv.length === 0 ? mutants : mutants.filter(({ name }) => argv.some((start) => name.startsWith(start)));
  }
  let state = Number(process.env.LIBRARY_TEST_SEED ?? 1) >>> 0;
  const left = [...mutants];
  return Array.from({ length: Math.min(Number(argv[1]), left.length) }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return left.splice(Math.floor((state / 2 ** 32) * left.length), 1);
  }).flat();
}

/** Why no test noticed; undefined where one did. */
async function survival(
  tree: string,
  mutant: Mutant,
  sound: Map<string, Promise<Outcome>>,
): Promise<string | undefined> {
  const path = join(tree, mutant.file);
  const text = readFileSync(path, "utf8");
  const places = text.split(mutant.find).length - 1;
  if (places !== 1) return `its text is there ${places} times, expected once`;
  const key = JSON.stringify([mutant.tests, mutant.only]);
  const before = sound.get(key) ?? run(tree, mutant);
  sound.set(key, before);
  const { passed, failed } = await before;
  if (failed > 0 || passed === 0) return `without it ${passed} tests pass and ${failed} fail`;
  writeFileSync(
    path,
    text.replace(mutant.find, () => mutant.replace),
  );
  try {
    const outcome = await run(tree, mutant);
    // What does not even load is no caught mutant
    if (outcome.passed + outcome.failed < passed)
      return `only ${outcome.passed + outcome.failed} of ${passed} tests ran`;
    return outcome.failed > 0 ? undefined : `${outcome.passed} tests passed`;
  } finally {
    writeFileSync(path, text);
  }
}

function copyTree(): string {
  const tree = mkdtempSync(join(tmpdir(), "library-mutants-"));
  trees.push(tree);
  for (const name of copied) cpSync(join(root, name), join(tree, name), { recursive: true });
  symlinkSync(join(root, "node_modules"), join(tree, "node_modules"));
  return tree;
}

interface Outcome {
  readonly passed: number;
  readonly failed: number;
}

function run(tree: string, { tests, only }: Mutant): Promise<Outcome> {
  const argv = ["test", ...tests.map((file) => `./${file}`), ...(only === undefined ? [] : ["-t", only])];
  return new Promise((resolve, reject) => {
    const child = spawn("bun", argv, { cwd: tree, detached: true, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    const keep = (chunk: string) => {
      output += chunk;
    };
    child.stdout.setEncoding("utf8").on("data", keep);
    child.stderr.setEncoding("utf8").on("data", keep);
    const group = child.pid;
    if (group !== undefined) groups.add(group);
    const timer = setTimeout(() => group !== undefined && end(group), limitMs);
    child.on("error", reject);
    child.on("close", () => {
      clearTimeout(timer);
      if (group !== undefined) groups.delete(group);
      resolve({ passed: count(output, "pass"), failed: count(output, "fail") });
    });
  });
}

function count(output: string, what: "pass" | "fail"): number {
  return Number(new RegExp(`^ *(\\d+) ${what}$`, "m").exec(output)?.[1] ?? 0);
}

function end(group: number): void {
  try {
    process.kill(-group, "SIGKILL");
  } catch (error) {
    // It may have ended by itself in the meantime
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}

function clean(): void {
  for (const tree of trees) rmSync(tree, { recursive: true, force: true });
}
