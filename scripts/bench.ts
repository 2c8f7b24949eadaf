// Runs the product beside crane, oras, regctl and skopeo: bun scripts/bench.ts --help
import { mkdir, mkdtemp, rm, statfs, writeFile } from "node:fs/promises";
import { cpus, release, tmpdir, totalmem } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { peer } from "../test/support/peers.ts";
import { registryKinds } from "../test/support/registries.ts";
import { comparePulls, comparePushes, compareStarts, type Row, type Setting } from "./bench/compare.ts";
import { type Content, writeImage, writeIndex } from "./bench/content.ts";
import { summarize, table } from "./bench/report.ts";
import { findTools, type Tool } from "./bench/tools.ts";

const rowNames = ["start", "push-large", "pull-large", "push-small", "pull-small"] as const;
type RowName = (typeof rowNames)[number];

const help = `Compares the compiled executable with other tools, each with its defaults, on one registry.

  bun scripts/bench.ts [flags]

  --runs N           runs of each tool in each row (7), the tools alternating; starts are run three times as often
  --only ROW,…       only these rows: ${rowNames.join(", ")}
  --size BYTES       the large content, in four layers (1GiB); also as 64MiB
  --images N         images of the small content, 20 layers of 64 KiB each (16)
  --registry KIND    ${registryKinds.join(", ")} (distribution3)
  --folder DIR       where everything lies (the system's temporary folder); one in memory leaves the disk out
  --library FILE     the executable (dist/library)
  --json FILE        all samples

Cold: the registry or folder is empty. Warm: the same copy again. Digests are checked after every run, and a row in
which one differs is refused: exit status 1.
`;

interface Settings extends Setting {
  readonly only: readonly RowName[];
  readonly size: number;
  readonly images: number;
  readonly binary: string;
  readonly json: string | undefined;
}

/** Content is made when the first row needs it. */
const made = new Map<string, Promise<Content>>();

process.exitCode = await main();

async function main(): Promise<number> {
  const folders: string[] = [];
  try {
    const parsed = readSettings();
    if (parsed === undefined) return 0;
    const folder = await mkdtemp(join(parsed.folder, "library-bench-"));
    folders.push(folder);
    return await run({ ...parsed, folder });
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    return 2;
  } finally {
    for (const folder of folders) await rm(folder, { recursive: true, force: true });
  }
}

async function run(settings: Settings): Promise<number> {
  const { folder, registry, runs } = settings;
  await mkdir(join(folder, "home"));
  await refuseFullDisk(settings);
  const tools = findTools(settings.binary);
  const rows: Row[] = [];
  for (const name of settings.only) {
    console.error(`${name}: ${tools.map((tool) => tool.name).join(", ")}`);
    rows.push(...(await runRow(name, tools, settings)));
  }
  const summaries = rows.map(summarize);
  console.log(table(summaries));
  for (const { name, refusal } of summaries) if (refusal !== undefined) console.error(`refused: ${name}: ${refusal}`);
  if (settings.json !== undefined) {
    const machine = { cpu: cpus()[0]?.model, cpus: cpus().length, memory: totalmem(), kernel: release() };
    const versions = Object.fromEntries(tools.map(({ name, version }) => [name, versionOf(version)]));
    const { size, images } = settings;
    const document = { machine, versions, registry, runs, size, images, rows: summaries };
    await writeFile(settings.json, `${JSON.stringify(document, undefined, 2)}\n`);
  }
  return summaries.some(({ refusal }) => refusal !== undefined) ? 1 : 0;
}

async function runRow(name: RowName, tools: readonly Tool[], settings: Settings): Promise<readonly Row[]> {
  switch (name) {
    case "start":
      return [compareStarts(tools, await compileNothing(settings.folder), settings)];
    case "push-large":
      return comparePushes(name, tools, await large(settings), settings);
    case "pull-large":
      return comparePulls(name, tools, await large(settings), settings);
    case "push-small":
      return comparePushes(name, tools, await small(settings), settings);
    case "pull-small":
      return comparePulls(name, tools, await small(settings), settings);
  }
}

function large({ folder, size }: Settings): Promise<Content> {
  return once(join(folder, "large"), (path) => writeImage(path, 4, Math.ceil(size / 4)));
}

function small({ folder, images }: Settings): Promise<Content> {
  return once(join(folder, "small"), (path) => writeIndex(path, images, 20, 64 * 1024));
}

function once(path: string, make: (path: string) => Promise<Content>): Promise<Content> {
  const content = made.get(path) ?? make(path);
  made.set(path, content);
  return content;
}

/** What every program compiled by Bun takes at least. */
async function compileNothing(folder: string): Promise<string> {
  const source = join(folder, "empty.ts");
  const binary = join(folder, "empty");
  await writeFile(source, "export {};\n");
  const flags = ["--compile", "--minify", "--bytecode", "--format=esm"];
  const { exitCode, stderr } = Bun.spawnSync(["bun", "build", ...flags, source, "--outfile", binary], { cwd: folder });
  if (exitCode !== 0) throw new Error(`Cannot compile an empty program: ${stderr}`);
  return binary;
}

/** The content, the registry that is pulled from, and what one run writes. */
async function refuseFullDisk({ folder, size }: Settings): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  const needed = 4 * size + 512 * 1024 * 1024;
  if (bavail * bsize >= needed) return;
  throw new Error(`Cannot run in ${folder}: ${bavail * bsize} bytes are free, expected ${needed}`);
}

function versionOf(argv: readonly string[]): string {
  return Bun.spawnSync([...argv])
    .stdout.toString()
    .trim()
    .split("\n")
    .slice(0, 3)
    .join(" ");
}

function readSettings(): Settings | undefined {
  const { values } = parseArgs({
    options: {
      runs: { type: "string", default: "7" },
      only: { type: "string", default: rowNames.join(",") },
      size: { type: "string", default: "1GiB" },
      images: { type: "string", default: "16" },
      registry: { type: "string", default: "distribution3" },
      folder: { type: "string", default: tmpdir() },
      library: { type: "string", default: "dist/library" },
      json: { type: "string" },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help) {
    process.stdout.write(help);
    return undefined;
  }
  const time = peer("time");
  if (time === undefined) console.error("peak memory is not measured: GNU time is not on PATH");
  return {
    runs: count("runs", values.runs),
    only: values.only.split(",").map((name) => oneOf("only", name, rowNames)),
    size: bytes(values.size),
    images: count("images", values.images),
    registry: oneOf("registry", values.registry, registryKinds),
    folder: values.folder,
    binary: resolve(values.library),
    json: values.json,
    time,
  };
}

function oneOf<T extends string>(flag: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((name) => name === value);
  if (found !== undefined) return found;
  throw new Error(`Cannot use --${flag} ${value}: expected one of ${allowed.join(", ")}`);
}

function count(flag: string, value: string): number {
  if (/^[1-9][0-9]{0,3}$/.test(value)) return Number(value);
  throw new Error(`Cannot use --${flag} ${value}: expected a number from 1 on`);
}

function bytes(value: string): number {
  const [, digits, unit = ""] = /^([1-9][0-9]{0,15})(KiB|MiB|GiB)?$/.exec(value) ?? [];
  if (digits === undefined) throw new Error(`Cannot use --size ${value}: expected bytes, as 64MiB`);
  return Number(digits) * 1024 ** ["", "KiB", "MiB", "GiB"].indexOf(unit);
}
