import { writeFile } from "node:fs/promises";
import { ToolMissingError } from "../../src/core/error.ts";
import type { Run } from "../../src/core/ports.ts";
import type { Manifest } from "../../src/oci/manifest.ts";
import { copy } from "../../src/store/copy.ts";
import { LayoutBackend } from "../../src/store/layout.ts";
import { MemoryBackend } from "../../src/store/memory.ts";
import { Store } from "../../src/store/store.ts";
import { walk } from "../../src/store/walk.ts";
import { addImage } from "./graph.ts";
import { testIo } from "./io.ts";
import { storePorts } from "./ports.ts";

export interface FakeBuildxOptions {
  /** Programs that are there: `docker buildx`, `buildx`, and `docker` for an engine. */
  readonly there?: readonly ("docker buildx" | "buildx" | "docker")[];
  /** Status and standard error of every build; without it builds succeed. */
  readonly fails?: { readonly status: number; readonly stderr: readonly string[] };
  /** The digest that the metadata file claims, instead of the true one. */
  readonly claims?: string;
  /** Left out by the build. */
  readonly leavesOut?: "metadata" | "layout";
  /** Happens while the build runs. */
  readonly during?: () => Promise<void>;
}

export interface FakeBuildx {
  readonly run: Run;
  /** The argv of every build, in order. */
  readonly builds: (readonly string[])[];
  /** What every build makes. */
  readonly image: Manifest;
}

/** Stands in for buildx: answers its version, and exports one image as a layout with a metadata file. */
export function fakeBuildx(options: FakeBuildxOptions = {}): FakeBuildx {
  const there = options.there ?? ["buildx"];
  const builds: (readonly string[])[] = [];
  const memory = new MemoryBackend();
  const image = addImage(memory, { seed: 42 });
  const run: Run = async (argv, given) => {
    const program = argv[0] === "docker" && argv[1] === "buildx" ? "docker buildx" : argv[0];
    if (argv[0] === "docker" && !there.some((name) => name.startsWith("docker")))
      throw new ToolMissingError("no docker");
    if (argv[0] === "buildx" && !there.includes("buildx")) throw new ToolMissingError("no buildx");
    if (!there.some((name) => name === program)) return { status: 1, stdout: "", stderr: "unknown command" };
    if (!argv.includes("build")) return { status: 0, stdout: "fake v1\nmore", stderr: "" };
    builds.push(argv);
    await options.during?.();
    const value = (flag: string): string | undefined =>
      argv.find((word) => word.startsWith(`--${flag}=`))?.slice(flag.length + 3);
    if (options.fails) {
      for (const line of options.fails.stderr) given.onStderrLine?.(line);
      return { status: options.fails.status, stdout: "", stderr: options.fails.stderr.join("\n") };
    }
    given.onStderrLine?.(
      JSON.stringify({
        vertexes: [
          { digest: "sha256:1", name: "COPY a b", started: "2026-01-01T00:00:00Z", completed: "2026-01-01T00:00:02Z" },
        ],
        warnings: [{ short: Buffer.from("a warning").toString("base64") }],
      }),
    );
    const destination = /^type=oci,.*dest=(.*)$/.exec(value("output") ?? "")?.[1];
    if (destination !== undefined && options.leavesOut !== "layout") {
      const io = testIo();
      const steps = walk(new Store(memory), [image], { referrers: "none" }, io);
      const target = new LayoutBackend(destination, storePorts);
      await copy(steps, target, { entries: [{ manifest: image, tag: "1" }] }, io);
    }
    const metadata = value("metadata-file");
    if (metadata !== undefined && options.leavesOut !== "metadata") {
      const digest = options.claims ?? image.descriptor.digest;
      await writeFile(metadata, JSON.stringify({ "containerimage.digest": digest }));
    }
    return { status: 0, stdout: "", stderr: "" };
  };
  return { run, builds, image };
}
