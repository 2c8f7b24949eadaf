import { afterAll, beforeAll, expect, test } from "bun:test";
import { createCipheriv } from "node:crypto";
import { mkdir, mkdtemp, open, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { commands } from "../../src/cli/commands.ts";
import { digestText } from "../support/fingerprints.ts";
import { manifestWith } from "../support/manifest-text.ts";
import { describeWithPeers } from "../support/peers.ts";
import { type Ended, libraryBinary, type ProgramOptions, runProgram } from "../support/program.ts";
import { type RunningRegistry, startRegistry } from "../support/registries.ts";

const main = fileURLToPath(new URL("../../src/main.ts", import.meta.url));
const goldens = new URL("../golden/help/", import.meta.url);
const auth = { username: "ada", password: "correct horse battery" };
const layerBytes = 256 * 1024 * 1024;
const timeoutMs = 180_000;

/** The program under Deno, and compiled. */
const runtimes = ["deno", "binary"] as const;
type RuntimeName = (typeof runtimes)[number];

describeWithPeers(["deno", "registry", "skopeo"], "src/main.ts under Deno", (peers) => {
  let dir = "";
  let registry: RunningRegistry;

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), "library-deno-"));
    await mkdir(join(dir, "registry"));
    registry = await startRegistry("distribution3", { dir: join(dir, "registry"), auth });
    for (const runtime of runtimes) {
      const folder = join(dir, runtime);
      await mkdir(join(folder, "content"), { recursive: true });
      await writeFile(join(folder, ".library.manifest.yaml"), manifestWith("registry.example.org", registry.host));
      await writeFile(join(folder, "Dockerfile"), "FROM scratch\n");
      await writeLayer(join(folder, "content", "stars.bin"));
    }
  }, timeoutMs);
  afterAll(async () => {
    await registry?.stop();
    await rm(dir, { recursive: true, force: true });
  });

  /** Runs it in its own folder, where `login` kept the credentials. */
  function run(runtime: RuntimeName, argv: readonly string[], options: ProgramOptions = {}): Promise<Ended> {
    const cwd = join(dir, runtime);
    const env = {
      HOME: cwd,
      DOCKER_CONFIG: join(dir, "docker"),
      DENO_DIR: join(dir, "deno-dir"),
      DENO_NO_UPDATE_CHECK: "1",
      SOURCE_DATE_EPOCH: "1700000000",
    };
    const [program, ...rest] = runtime === "deno" ? [peers.deno, "run", "-A", main] : [libraryBinary()];
    return runProgram(program, [...rest, ...argv], { cwd, env, ...options });
  }

  async function output(runtime: RuntimeName, argv: readonly string[], options?: ProgramOptions): Promise<string> {
    const { status, stdout, stderr } = await run(runtime, argv, options);
    if (status !== 0) throw new Error(`${runtime}: ${argv.join(" ")} ended with ${status}: ${stderr}`);
    return stdout.toString();
  }

  async function resultOf(runtime: RuntimeName, argv: readonly string[]): Promise<unknown> {
    return JSON.parse(await output(runtime, [...argv, "--json"])).result;
  }

  /** The digest of the manifest that skopeo reads from a place. */
  async function seenBySkopeo(place: string): Promise<string> {
    const credentials = ["--tls-verify=false", "--creds", `${auth.username}:${auth.password}`];
    const argv = ["inspect", "--raw", ...(place.startsWith("docker:") ? credentials : []), place];
    const { status, stdout, stderr } = await runProgram(peers.skopeo, argv);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    return digestText(stdout);
  }

  const repository = () => `${registry.host}/astro/viewer`;

  test(
    "every command prints the help that its golden file holds",
    async () => {
      const names = ["library", ...commands.map(({ name }) => name)];
      const wrong: string[] = [];
      const check = async (): Promise<void> => {
        for (let name = names.pop(); name !== undefined; name = names.pop()) {
          const argv = name === "library" ? ["--help"] : [...name.split(" "), "--help"];
          const expected = await readFile(new URL(`${name.replace(/ /g, "-")}.txt`, goldens), "utf8");
          if ((await output("deno", argv)) !== expected) wrong.push(name);
        }
      };
      expect(names.length).toBeGreaterThan(20);
      await Promise.all([check(), check()]);
      expect(wrong).toEqual([]);
    },
    timeoutMs,
  );

  test(
    "validate says the same as the executable",
    async () => {
      const found = await resultOf("deno", ["validate"]);
      expect(found).toEqual(await resultOf("binary", ["validate"]));
      expect(found).toMatchObject({ references: [`${repository()}:1.10`, `${repository()}:latest`] });
    },
    timeoutMs,
  );

  test(
    "without credentials, the registry's refusal is told",
    async () => {
      const { status, stdout } = await run("deno", ["tags", "--json", repository()]);
      expect({ status, code: JSON.parse(stdout.toString()).errors[0].code }).toEqual({
        status: 3,
        code: "unauthorized",
      });
    },
    timeoutMs,
  );

  test(
    "login, append, push image, pull, copy and inspect do what the executable does",
    async () => {
      await output("deno", ["login", "--username", auth.username, "--password-stdin", registry.host], {
        input: auth.password,
      });

      const append = ["append", "-m", ".library.manifest.yaml", "--layer", "content:/srv", "--cmd", "/srv/stars.bin"];
      const times = { deno: 0, binary: 0 };
      for (const runtime of runtimes) {
        const started = performance.now();
        await output(runtime, append);
        times[runtime] = performance.now() - started;
      }
      // Their compressors differ, so that the digests may
      const layout = (runtime: RuntimeName) => `oci:${join(dir, runtime, ".library/layout")}:1.10`;
      const [one, other] = await Promise.all(
        runtimes.map(async (runtime) => JSON.parse(await output("binary", ["inspect", "--config", layout(runtime)]))),
      );
      expect(one.rootfs.diff_ids).toEqual(other.rootfs.diff_ids);
      expect(one.rootfs.diff_ids).toHaveLength(1);
      expect({ ...one, rootfs: undefined }).toEqual({ ...other, rootfs: undefined });

      const digest = await seenBySkopeo(layout("deno"));
      const pushed = await resultOf("deno", ["push", "image"]);
      expect(JSON.stringify(pushed)).toContain(digest);
      for (const tag of ["1.10", "latest"]) expect(await seenBySkopeo(`docker://${repository()}:${tag}`)).toBe(digest);
      const copied = `${registry.host}/astro/copied:1`;
      await output("binary", ["copy", layout("deno"), copied]);
      expect(await seenBySkopeo(`docker://${copied}`)).toBe(digest);

      for (const runtime of runtimes) await output(runtime, ["pull", `${repository()}:1.10`, "-o", "pulled"]);
      expect(await contentOf(join(dir, "deno/pulled"))).toEqual(await contentOf(join(dir, "binary/pulled")));
      expect(await seenBySkopeo(`oci:${dir}/deno/pulled:1.10`)).toBe(digest);

      for (const runtime of runtimes) await output(runtime, ["copy", copied, "oci-archive:image.tar:1"]);
      const archives = runtimes.map(async (runtime) => digestText(await readFile(join(dir, runtime, "image.tar"))));
      expect(await archives[0]).toBe(await archives[1]);

      for (const place of [`${repository()}:1.10`, "oci:pulled:1.10", "oci-archive:image.tar:1"]) {
        expect(await resultOf("deno", ["inspect", place])).toEqual(await resultOf("binary", ["inspect", place]));
      }
      const seconds = (runtime: RuntimeName) => (times[runtime] / 1000).toFixed(1);
      console.log(`append of 256 MiB: deno ${seconds("deno")} s, binary ${seconds("binary")} s; ${digest}`);
    },
    timeoutMs,
  );
});

/** 256 MiB that depend on nothing: noise and repetition by turns, so that compressors have something to do. */
async function writeLayer(path: string): Promise<void> {
  const noise = createCipheriv("aes-128-ctr", Buffer.alloc(16, 7), Buffer.alloc(16));
  const block = Buffer.alloc(1024 * 1024);
  const file = await open(path, "wx", 0o644);
  try {
    for (let at = 0; at < layerBytes; at += block.byteLength) {
      await file.write(
        (at / block.byteLength) % 4 === 0 ? noise.update(block) : Buffer.alloc(block.byteLength, `${at} `),
      );
    }
  } finally {
    await file.close();
  }
}

/** The files of a layout with the hash of their bytes. */
async function contentOf(folder: string): Promise<Readonly<Record<string, string>>> {
  const content: Record<string, string> = {};
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile()) content[path.slice(folder.length)] = digestText(await readFile(path));
  }
  expect(Object.keys(content).length).toBeGreaterThan(4);
  return content;
}
