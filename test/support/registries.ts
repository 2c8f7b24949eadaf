import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { hashSync } from "bcryptjs";
import { peer } from "./peers.ts";

/** distribution 3, distribution 2.8.2 (Debian), olareg, and the registry inside crane. */
export const registryKinds = ["distribution3", "distribution2", "olareg", "crane"] as const;
export type RegistryKind = (typeof registryKinds)[number];

export interface RegistryOptions {
  /** An empty folder of the test's own; holds the storage, the configuration and `registry.log`. */
  readonly dir: string;
  /** Basic authentication; distribution only. */
  readonly auth?: { readonly username: string; readonly password: string };
  /** Further settings of distribution's configuration, by section. */
  readonly settings?: Readonly<Record<string, unknown>>;
}

export interface RunningRegistry {
  readonly kind: RegistryKind;
  /** As `http://127.0.0.1:40001`. */
  readonly url: string;
  /** As `127.0.0.1:40001`: what references begin with. */
  readonly host: string;
  /** Ends the process and waits until it is gone. */
  stop(): Promise<void>;
}

/** The programs of these registries, as `describeWithPeers` takes them. */
export const registryPrograms = {
  distribution3: "registry",
  distribution2: "docker-registry",
  olareg: "olareg",
  crane: "crane",
} as const satisfies Readonly<Record<RegistryKind, string>>;

/** A real registry on a free port of 127.0.0.1 that answers `GET /v2/`; the caller stops it. */
export async function startRegistry(kind: RegistryKind, options: RegistryOptions): Promise<RunningRegistry> {
  const program = peer(registryPrograms[kind]);
  if (program === undefined) throw new Error(`cannot start ${kind}: ${registryPrograms[kind]} is not installed`);
  let failure: unknown;
  // Between asking for a free port and using it, somebody else may take it
  for (let attempt = 0; attempt < 3; attempt++) {
    try {
      return await launch(kind, program, options);
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

async function launch(kind: RegistryKind, program: string, options: RegistryOptions): Promise<RunningRegistry> {
  const host = `127.0.0.1:${await freePort()}`;
  const log = join(options.dir, "registry.log");
  const out = openSync(log, "w");
  const child = spawn(program, await argumentsFor(kind, host, options), {
    stdio: ["ignore", out, out],
    env: { PATH: process.env.PATH ?? "", HOME: options.dir, OTEL_TRACES_EXPORTER: "none" },
  });
  closeSync(out);
  let ended = false;
  const gone = new Promise<void>((resolve) => {
    child.once("exit", () => {
      ended = true;
      resolve();
    });
    child.once("error", () => {
      ended = true;
      resolve();
    });
  });
  const kill = () => void child.kill("SIGKILL");
  process.once("exit", kill);
  const stop = async () => {
    process.off("exit", kill);
    if (!ended) child.kill("SIGKILL");
    await gone;
  };
  const deadline = Date.now() + 20_000;
  while (!(await answers(`http://${host}/v2/`))) {
    if (ended || Date.now() > deadline) {
      await stop();
      throw new Error(`${kind} did not start: ${await readFile(log, "utf8")}`);
    }
    await Bun.sleep(20);
  }
  return { kind, host, url: `http://${host}`, stop };
}

async function argumentsFor(kind: RegistryKind, host: string, options: RegistryOptions): Promise<string[]> {
  const storage = join(options.dir, "storage");
  await mkdir(storage, { recursive: true });
  if (kind === "crane") return ["registry", "serve", "--address", host, "--disk", storage];
  if (kind === "olareg") {
    const port = host.split(":")[1] ?? "";
    const api = ["--api-delete", "--api-blob-delete"];
    return ["serve", "--addr", "127.0.0.1", "--port", port, "--dir", storage, "--store-type", "dir", ...api];
  }
  const path = join(options.dir, "config.yml");
  // JSON is YAML
  const configuration = {
    version: 0.1,
    log: { level: "warn" },
    storage: { filesystem: { rootdirectory: storage }, delete: { enabled: true } },
    http: { addr: host },
    ...(options.auth ? { auth: { htpasswd: { realm: "test", path: await writePasswords(options) } } } : {}),
    ...options.settings,
  };
  await writeFile(path, JSON.stringify(configuration));
  return ["serve", path];
}

async function writePasswords({ dir, auth }: RegistryOptions): Promise<string> {
  const path = join(dir, "htpasswd");
  if (auth) await writeFile(path, `${auth.username}:${hashSync(auth.password, 4)}\n`);
  return path;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  if (typeof address !== "object" || address === null) throw new Error("the system gave no port");
  return address.port;
}

async function answers(url: string): Promise<boolean> {
  try {
    const { status } = await fetch(url);
    return status === 200 || status === 401;
  } catch {
    return false; // Not listening yet
  }
}
