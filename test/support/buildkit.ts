import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import { outputOf, runProgram } from "./program.ts";

export interface BuildkitOptions {
  /** An empty folder of the test's own, with a short path: a socket's may have 107 bytes. */
  readonly dir: string;
  readonly buildkitd: string;
  readonly buildx: string;
  readonly runc: string;
  /** Registries that speak plain http, as `127.0.0.1:40001`. */
  readonly registries?: readonly string[];
}

export interface RunningBuildkit {
  /** The environment in which `buildx` uses this builder. */
  readonly env: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

/** Why BuildKit cannot run here; undefined where it can. */
export function buildkitObstacle(): string | undefined {
  return process.getuid?.() === 0 ? undefined : "buildkitd needs root";
}

/** A real builder without a Docker engine: buildkitd with its own state, and a standalone buildx that knows it. */
export async function startBuildkit(options: BuildkitOptions): Promise<RunningBuildkit> {
  const { dir } = options;
  const address = `unix://${join(dir, "b.sock")}`;
  const configuration = join(dir, "buildkitd.toml");
  const registries = (options.registries ?? []).map((host) => `[registry."${host}"]\n  http = true\n`);
  await mkdir(dir, { recursive: true });
  await writeFile(configuration, registries.join(""));
  const log = join(dir, "buildkitd.log");
  const out = openSync(log, "w");
  const path = [options.buildx, options.buildkitd, options.runc]
    .map(dirname)
    .concat(process.env.PATH ?? "")
    .join(delimiter);
  const argv = ["--config", configuration, "--root", join(dir, "root"), "--addr", address];
  const child = spawn(
    options.buildkitd,
    [...argv, "--oci-worker-snapshotter=native", "--oci-worker-binary", options.runc],
    {
      stdio: ["ignore", out, out],
      env: { PATH: path, HOME: dir, OTEL_TRACES_EXPORTER: "none" },
    },
  );
  closeSync(out);
  let ended = false;
  const gone = new Promise<void>((resolve) => {
    for (const event of ["exit", "error"] as const) {
      child.once(event, () => {
        ended = true;
        resolve();
      });
    }
  });
  const kill = () => void child.kill("SIGKILL");
  process.once("exit", kill);
  const stop = async () => {
    process.off("exit", kill);
    if (!ended) child.kill("SIGTERM");
    await gone;
  };
  // Neither this machine's builders nor its Docker configuration
  const env = { PATH: path, HOME: dir, BUILDX_CONFIG: join(dir, "buildx"), DOCKER_CONFIG: join(dir, "docker") };
  try {
    await outputOf(options.buildx, ["create", "--name", "test", "--driver", "remote", "--use", address], { env });
    const deadline = Date.now() + 30_000;
    while ((await runProgram(options.buildx, ["inspect", "--bootstrap"], { env })).status !== 0) {
      if (ended || Date.now() > deadline) throw new Error(`buildkitd did not start: ${await readFile(log, "utf8")}`);
      await Bun.sleep(50);
    }
  } catch (error) {
    await stop();
    throw error;
  }
  return { env, stop };
}
