import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { type RegistryKind, type RunningRegistry, startRegistry } from "../../test/support/registries.ts";
import type { Content } from "./content.ts";
import { measure, type Sample, type Surroundings, settle } from "./measure.ts";
import type { Place, Tool } from "./tools.ts";
import { checkPulled, checkPushed } from "./verify.ts";

/** What one tool took in one row. */
export interface Series {
  readonly tool: string;
  readonly samples: readonly Sample[];
}

/** One thing that all tools did, or why it cannot be compared. */
export interface Row {
  readonly name: string;
  readonly series: readonly Series[];
  readonly refusal?: string;
}

/** Where the copies go, and how often. */
export interface Setting extends Surroundings {
  readonly registry: RegistryKind;
  readonly runs: number;
}

/** Each tool is only started; `floor` is a program that does nothing. */
export function compareStarts(tools: readonly Tool[], floor: string, setting: Setting): Row {
  const commands = [...tools.map(({ name, version }) => ({ name, argv: version })), { name: "empty", argv: [floor] }];
  const samples = new Map<string, Sample[]>(commands.map(({ name }) => [name, []]));
  // Starts are short and vary more
  for (let run = 0; run < setting.runs * 3; run++) {
    for (const { name, argv } of rotated(commands, run)) {
      const sample = measure(argv, setting, false);
      samples.get(name)?.push({ ...sample, peakMiB: measure(argv, setting, true).peakMiB });
    }
  }
  return { name: "start", series: seriesOf(samples) };
}

/** Each tool pushes the content to an empty registry, and again where everything is there. */
export async function comparePushes(name: string, tools: readonly Tool[], content: Content, setting: Setting) {
  return alternate(name, tools, setting, async ({ copies }, folder, take) => {
    const registry = await startRegistry(setting.registry, { dir: folder });
    try {
      const place = { host: registry.host, repository: "bench/content" };
      for (const state of ["cold", "warm"] as const) {
        if (copies) take(state, copies.push(content.folder, place));
        await checkPushed(content, place);
      }
    } finally {
      await registry.stop();
    }
  });
}

/** Each tool pulls the content into an empty folder, and again where everything is there. */
export async function comparePulls(name: string, tools: readonly Tool[], content: Content, setting: Setting) {
  const { registry, place } = await filledRegistry(tools, content, setting);
  try {
    const hashed = new Set<string>();
    return await alternate(name, tools, setting, async ({ name, copies }, folder, take) => {
      const layout = join(folder, "layout");
      for (const state of ["cold", "warm"] as const) {
        if (copies) take(state, copies.pull(place, layout));
        await checkPulled(content, layout, !hashed.has(name));
        hashed.add(name);
      }
    });
  } finally {
    await registry.stop();
  }
}

async function filledRegistry(
  tools: readonly Tool[],
  content: Content,
  { registry: kind, folder }: Setting,
): Promise<{ readonly registry: RunningRegistry; readonly place: Place }> {
  const dir = join(folder, "source-registry");
  await rm(dir, { recursive: true, force: true });
  await mkdir(dir, { recursive: true });
  const registry = await startRegistry(kind, { dir });
  try {
    const place = { host: registry.host, repository: "bench/content" };
    const push = tools.find(({ copies }) => copies)?.copies?.push(content.folder, place);
    if (push) measure(push, { folder, time: undefined }, false);
    await checkPushed(content, place);
    return { registry, place };
  } catch (error) {
    await registry.stop();
    throw error;
  }
}

type Take = (state: "cold" | "warm", argv: readonly string[]) => void;

/** One run of each tool after the other, in a folder of its own that is empty before and gone after. */
async function alternate(
  name: string,
  tools: readonly Tool[],
  setting: Setting,
  body: (tool: Tool, folder: string, take: Take) => Promise<void>,
): Promise<readonly Row[]> {
  const copying = tools.filter(({ copies }) => copies);
  const samples = { cold: new Map<string, Sample[]>(), warm: new Map<string, Sample[]>() };
  for (let run = 0; run < setting.runs; run++) {
    for (const tool of rotated(copying, run)) {
      const folder = join(setting.folder, "run");
      await mkdir(folder);
      try {
        await body(tool, folder, (state, argv) => {
          settle();
          const series = samples[state].get(tool.name) ?? [];
          samples[state].set(tool.name, series);
          series.push(measure(argv, setting, true));
        });
      } catch (error) {
        const refusal = `${tool.name}: ${error instanceof Error ? error.message : error}`;
        return [{ name, series: [], refusal }];
      } finally {
        await rm(folder, { recursive: true });
      }
    }
  }
  return (["cold", "warm"] as const).map((state) => ({ name: `${name} ${state}`, series: seriesOf(samples[state]) }));
}

/** So that no tool always runs after the same other. */
function rotated<T>(items: readonly T[], by: number): readonly T[] {
  const at = by % items.length;
  return [...items.slice(at), ...items.slice(0, at)];
}

function seriesOf(samples: ReadonlyMap<string, readonly Sample[]>): readonly Series[] {
  return [...samples].map(([tool, samples]) => ({ tool, samples })).sort(byName);
}

function byName(a: Series, b: Series): number {
  return a.tool < b.tool ? -1 : 1;
}
