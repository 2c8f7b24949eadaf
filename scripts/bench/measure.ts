import { readFileSync } from "node:fs";
import { join } from "node:path";

/** What one run of a program took. */
export interface Sample {
  readonly wallMs: number;
  /** User and system time, with that of its children. */
  readonly cpuMs: number;
  /** The largest resident set; undefined where nothing here can measure it. */
  readonly peakMiB: number | undefined;
}

/** What programs run with: nothing of the user's configuration. */
export interface Surroundings {
  readonly folder: string;
  /** GNU time, by which the peak memory is measured. */
  readonly time: string | undefined;
}

const timeoutMs = 300_000;

/**
 * Runs a program to its end; throws with what it said where its status is not 0. With `peak`, it is run by GNU time,
 * which takes under a millisecond: the kernel counts the memory of whoever starts a program into the program's own
 * peak, so that this process, which is larger than most of them, cannot measure them itself.
 */
export function measure(argv: readonly string[], { folder, time }: Surroundings, peak: boolean): Sample {
  const report = join(folder, "time");
  const byTime = peak && time !== undefined;
  const command = byTime ? [time, "--quiet", "--format=%M", `--output=${report}`, ...argv] : [...argv];
  const env = { PATH: process.env.PATH ?? "", HOME: join(folder, "home"), TMPDIR: folder };
  const started = performance.now();
  const ended = Bun.spawnSync(command, { env, stdin: "ignore", stdout: "pipe", stderr: "pipe", timeout: timeoutMs });
  const wallMs = performance.now() - started;
  if (ended.exitCode !== 0) {
    const said = `${ended.stderr}${ended.stdout}`.slice(-2000);
    throw new Error(`${argv.join(" ")} ended with ${ended.exitCode ?? ended.signalCode}: ${said}`);
  }
  const cpuMs = Number(ended.resourceUsage.cpuTime.total) / 1000;
  return { wallMs, cpuMs, peakMiB: byTime ? Number(readFileSync(report, "utf8")) / 1024 : undefined };
}

/** Everything written before is on its disk, so that nobody's bytes are written during another's run. */
export function settle(): void {
  Bun.spawnSync(["sync"]);
}
