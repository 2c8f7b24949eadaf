import { afterAll, beforeAll, expect, test } from "bun:test";
import { chmod, copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { filesBelow } from "../support/file-tree.ts";
import { digestText, missingBelow } from "../support/fingerprints.ts";
import { seededBytes } from "../support/graph.ts";
import { describeWithPeers } from "../support/peers.ts";
import { type Ended, libraryBinary, libraryOutput, outputOf, runProgram } from "../support/program.ts";

const timeoutMs = 60_000;
/** What belongs to the C library, of glibc and of musl. */
const ofTheCLibrary = /^(?:ld-linux-.*|ld-musl-.*|libc\.musl-.*|libc|libpthread|libdl|libm)\.so\.\d+$/;

describeWithPeers(["runc", "skopeo", "ldd"], "the executable in a root with only the C library and /proc", (peers) => {
  let bundle = "";
  let containers = 0;
  /** `/tmp` of the container, as it lies outside. */
  let shared = "";
  let libraries: readonly string[] = [];

  beforeAll(async () => {
    bundle = await mkdtemp(join(tmpdir(), "library-root-"));
    shared = join(bundle, "shared");
    libraries = librariesOf((await outputOf(peers.ldd, [libraryBinary()])).toString());
    for (const folder of ["rootfs/proc", "rootfs/tmp", "shared/content"]) {
      await mkdir(join(bundle, folder), { recursive: true });
    }
    for (const path of libraries) await addFile(path, path);
    await addFile(libraryBinary(), "/library");
    // Above and below the size from which files are hashed beside the main thread
    await writeFile(join(shared, "content", "large"), seededBytes(3_000_000, 6));
    await writeFile(join(shared, "content", "small"), seededBytes(3000, 7));
    await chmod(join(shared, "content", "large"), 0o644);
    await chmod(join(shared, "content", "small"), 0o644);
  });
  afterAll(() => rm(bundle, { recursive: true, force: true }));

  async function addFile(from: string, path: string): Promise<void> {
    const to = join(bundle, "rootfs", path);
    await mkdir(dirname(to), { recursive: true });
    await copyFile(from, to);
    await chmod(to, 0o755);
  }

  /** Runs the executable alone in namespaces of its own, without network, on a root that it cannot write to. */
  async function contained(...argv: readonly string[]): Promise<Ended> {
    const rootless = process.getuid?.() === 0 ? [] : ["--rootless"];
    await rm(join(bundle, "config.json"), { force: true });
    await outputOf(peers.runc, ["spec", "--bundle", bundle, ...rootless]);
    const configuration = JSON.parse(await readFile(join(bundle, "config.json"), "utf8"));
    configuration.process.terminal = false;
    configuration.process.args = ["/library", ...argv];
    configuration.process.env = [];
    configuration.root.readonly = true;
    configuration.mounts = [
      { destination: "/proc", type: "proc", source: "proc" },
      { destination: "/tmp", type: "bind", source: shared, options: ["bind", "rw"] },
    ];
    await writeFile(join(bundle, "config.json"), JSON.stringify(configuration));
    const name = `${basename(bundle)}-${containers++}`;
    return runProgram(peers.runc, ["--root", join(bundle, "state"), "run", "--bundle", bundle, name]);
  }

  async function containedOutput(...argv: readonly string[]): Promise<string> {
    const { status, stdout, stderr } = await contained(...argv);
    expect({ status, stderr: status === 0 ? "" : stderr }).toEqual({ status: 0, stderr: "" });
    return stdout.toString();
  }

  test("needs the C library and nothing else", async () => {
    expect(libraries.length).toBeGreaterThan(0);
    expect(libraries.map((path) => basename(path)).filter((name) => !ofTheCLibrary.test(name))).toEqual([]);
    const found = await filesBelow(join(bundle, "rootfs"));
    expect(found).toEqual(["library", ...libraries.map((path) => path.slice(1))].sort());
    console.log(`minimal root: ${found.join(" ")}`);
  });

  test(
    "version says the same as outside",
    async () => {
      expect(await containedOutput("version")).toBe((await libraryOutput(["version"])).toString());
    },
    timeoutMs,
  );

  test(
    "append makes the image that it makes outside, and copy carries it to an archive and back",
    async () => {
      const append = (folder: string) => ["append", "--layer", `${folder}/content:/srv`, "--cmd", "/srv/small"];
      const digests = async (layout: string) => {
        const { manifests } = JSON.parse(await readFile(join(layout, "index.json"), "utf8"));
        return manifests.map((entry: { digest: string }) => entry.digest);
      };
      await containedOutput(...append("/tmp"), "-o", "oci:/tmp/layout:1.0");
      await libraryOutput([...append(shared), "-o", `oci:${bundle}/outside:1.0`]);
      const [digest] = await digests(join(shared, "layout"));
      expect(await digests(join(bundle, "outside"))).toEqual([digest]);

      await containedOutput("copy", "oci:/tmp/layout:1.0", "oci-archive:/tmp/image.tar:1.0");
      await containedOutput("copy", "oci-archive:/tmp/image.tar:1.0", "oci:/tmp/back:1.0");
      const places = [`oci:${shared}/layout`, `oci-archive:${shared}/image.tar`, `oci:${shared}/back`];
      for (const [at, place] of places.entries()) {
        const raw = await outputOf(peers.skopeo, ["inspect", "--raw", `${place}:1.0`]);
        expect(digestText(raw)).toBe(digest);
        const { config, layers } = JSON.parse(raw.toString());
        await outputOf(peers.skopeo, ["copy", "--insecure-policy", `${place}:1.0`, `dir:${bundle}/copied-${at}`]);
        const wanted = [digest, config.digest, ...layers.map((layer: { digest: string }) => layer.digest)];
        expect(await missingBelow(join(bundle, `copied-${at}`), wanted)).toEqual([]);
      }
    },
    timeoutMs,
  );

  test(
    "an archive that is missing is told as such",
    async () => {
      const { status, stdout } = await contained("inspect", "--json", "oci-archive:/tmp/none.tar");
      expect({ status, code: JSON.parse(stdout.toString()).errors[0]?.code }).toEqual({ status: 3, code: "not-found" });
    },
    timeoutMs,
  );
});

/** The paths that `ldd` names: `libc.so.6 => /lib/libc.so.6 (0x…)` and `/lib64/ld-linux-x86-64.so.2 (0x…)`. */
function librariesOf(output: string): readonly string[] {
  const paths = output.split("\n").flatMap((line) => /(?:=>\s*|^\s*)(\/\S+)\s+\(0x/.exec(line)?.[1] ?? []);
  return [...new Set(paths)].sort();
}
