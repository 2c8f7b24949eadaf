import { describe, expect, test } from "bun:test";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { readBuildReport } from "../../src/build/report.ts";
import { LibraryError } from "../../src/core/error.ts";
import { type BuildInput, build } from "../../src/operations/build.ts";
import { openSource } from "../../src/operations/open.ts";
import { type FakeBuildxOptions, fakeBuildx } from "../support/fake-buildx.ts";
import type { FixedContext } from "../support/fixed-context.ts";
import { withFolder } from "../support/folder.ts";
import { manifestWith, minimalManifest } from "../support/manifest-text.ts";
import { withRealContext } from "../support/real-context.ts";

const digestOfNothing = `sha256:${"0".repeat(64)}`;

interface Project extends FakeBuildxOptions {
  readonly manifest?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  readonly dockerfile?: boolean;
}

async function inProject(
  { manifest = minimalManifest, dockerfile = true, ...options }: Project,
  body: (context: FixedContext, fake: ReturnType<typeof fakeBuildx>, folder: string) => Promise<void>,
): Promise<void> {
  const files = { ".library.manifest.yaml": manifest, ...(dockerfile ? { Dockerfile: "FROM scratch" } : {}) };
  await withFolder(files, async (folder) => {
    const fake = fakeBuildx(options);
    const { env = {}, signal } = options;
    const world = { cwd: folder, env, run: fake.run, ...(signal ? { signal } : {}) };
    await withRealContext(world, (context) => body(context, fake, folder));
  });
}

function input(changes: Partial<BuildInput> = {}): BuildInput {
  return { dryRun: false, ...changes };
}

/** Part of a manifest that asks for this output in so many words. */
const withOutput = (output: string): string => manifestWith("build:\n", `build:\n  output: ${output}\n`);

describe("build()", () => {
  test("leaves the image in the workspace under the manifest's tags, and a report", async () => {
    await inProject({}, async (context, { image, builds }, folder) => {
      const outcome = await build(context, input());
      const { digest } = image.descriptor;
      expect(outcome).toMatchObject({ status: "ok", builder: "fake v1", image: { digest } });
      const store = await openSource(context, { kind: "layout", path: join(folder, ".library/layout") });
      for (const tag of ["1.10", "latest"]) {
        expect((await store.resolve(tag, context)).descriptor.digest).toBe(digest);
      }
      expect((await readdir(join(folder, ".library"))).sort()).toEqual([".gitignore", "build.json", "layout"]);
      expect(await readBuildReport(join(folder, ".library/build.json"))).toMatchObject({
        status: "ok",
        builder: "fake v1",
        digest,
        stages: [{ name: "COPY a b", status: "done", duration: 2000 }],
        warnings: [expect.stringContaining("not loaded into Docker"), "a warning"],
      });
      expect(builds.length).toBe(1);
      const [argv = []] = builds;
      expect(argv).toContain(`--file=${folder}/Dockerfile`);
      expect(argv.at(-1)).toBe(folder);
      expect(argv).toContain("--label=org.opencontainers.image.title=Viewer");
      expect(argv).toContain("--annotation=index:org.opencontainers.image.created=2026-01-31T12:00:00Z");
    });
  });

  test("takes the date from SOURCE_DATE_EPOCH, and nothing from the clock", async () => {
    await inProject({ env: { SOURCE_DATE_EPOCH: "86400" } }, async (context, { builds }) => {
      await build(context, input());
      expect(builds[0]).toContain("--label=org.opencontainers.image.created=1970-01-02T00:00:00Z");
    });
  });

  test("reports that it runs while it runs", async () => {
    let path = "";
    const seen: unknown[] = [];
    const during = async () => void seen.push((await readBuildReport(path))?.status);
    await inProject({ during }, async (context, _, folder) => {
      path = join(folder, ".library/build.json");
      await build(context, input());
      expect(seen).toEqual(["running"]);
    });
  });

  test("prefers docker buildx to a standalone buildx", async () => {
    await inProject({ there: ["docker buildx", "buildx"] }, async (context, { builds }) => {
      await build(context, input());
      expect(builds[0]?.slice(0, 3)).toEqual(["docker", "buildx", "build"]);
    });
  });

  test("without a builder is tool-missing, names append, and writes nothing", async () => {
    await inProject({ there: ["docker"] }, async (context, _, folder) => {
      const error = await build(context, input()).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({
        code: "tool-missing",
        exitStatus: 3,
        hint: expect.stringContaining("library append"),
      });
      expect(await readdir(folder)).not.toContain(".library");
    });
  });

  test.each([
    ["by default", undefined, 1],
    ["with an output for Docker", "type=docker", 2],
  ])("in a dry run without a builder prints what docker buildx would do, %s", async (_, output, count) => {
    const manifest = output === undefined ? minimalManifest : withOutput(output);
    await inProject({ there: [], manifest }, async (context, { builds }, folder) => {
      const { commands, builder } = await build(context, input({ dryRun: true }));
      expect([commands.length, builder, builds.length]).toEqual([count, "none found", 0]);
      expect(commands[0]).toStartWith(`docker buildx build --file=${folder}/Dockerfile`);
      expect(await readdir(folder)).not.toContain(".library");
    });
  });

  test("in a dry run prints the commands, runs none and writes nothing", async () => {
    await inProject({}, async (context, { builds }, folder) => {
      const passthrough = ["--build-arg", "TOKEN=hunter2"];
      const outcome = await build(context, input({ dryRun: true, passthrough }));
      expect(outcome.commands[0]).toStartWith(`buildx build --file=${folder}/Dockerfile`);
      expect(outcome.commands[0]).not.toContain("hunter2");
      expect([outcome.image, builds.length, (await readdir(folder)).sort()]).toEqual([
        undefined,
        0,
        [".library.manifest.yaml", "Dockerfile"],
      ]);
    });
  });

  test("passes options of the manifest, then those behind --", async () => {
    const manifest = manifestWith("build:\n", "build:\n  options: \"--build-arg 'A=1 2' --no-cache\"\n");
    await inProject({ manifest }, async (context, { builds }) => {
      await build(context, input({ passthrough: ["--target=x"] }));
      expect(builds[0]?.slice(-4, -1)).toEqual(["--build-arg=A=1 2", "--no-cache", "--target=x"]);
    });
  });

  test.each<[string, string, readonly string[], string]>([
    ["a flag behind -- that the manifest owns", minimalManifest, ["-tx"], "owned-flag"],
    ["one in its options", manifestWith("build:\n", "build:\n  options: --push\n"), [], "owned-flag"],
    [
      "one that its policy rejects",
      manifestWith("config:\n", "config:\n  policy: strict\n"),
      ["--network=host"],
      "owned-flag",
    ],
    ["options with an open quote", manifestWith("build:\n", 'build:\n  options: "--target \'x"\n'), [], "usage"],
    ["a second context", minimalManifest, ["."], "usage"],
    ["an output that leaves the folder", withOutput("type=local,dest=../../"), [], "invalid-manifest-file"],
  ])("refuses %s with exit 2, and writes nothing", async (_, manifest, passthrough, code) => {
    await inProject({ manifest }, async (context, { builds }, folder) => {
      await expect(build(context, input({ passthrough }))).rejects.toMatchObject({ code, exitStatus: 2 });
      expect([builds.length, (await readdir(folder)).includes(".library")]).toEqual([0, false]);
    });
  });

  test("refuses a manifest without its Dockerfile, naming the line that names it", async () => {
    await inProject({ dockerfile: false }, async (context, { builds }, folder) => {
      await expect(build(context, input())).rejects.toMatchObject({
        code: "invalid-input",
        hint: expect.stringContaining("build.file"),
      });
      expect([builds.length, (await readdir(folder)).includes(".library")]).toEqual([0, false]);
    });
  });
});

describe("build() that fails", () => {
  const failure = {
    status: 17,
    stderr: [
      JSON.stringify({ vertexes: [{ digest: "sha256:1", name: "RUN make", started: "2026-01-01T00:00:00Z" }] }),
      JSON.stringify({ logs: [{ vertex: "sha256:1", data: Buffer.from("no rule\n").toString("base64") }] }),
      JSON.stringify({
        vertexes: [{ digest: "sha256:1", name: "RUN make", completed: "2026-01-01T00:00:01Z", error: "exit code: 2" }],
      }),
      "ERROR: failed to solve",
    ],
  };

  test("is tool-failed, and its report has buildx's status and the step's last lines", async () => {
    await inProject({ fails: failure }, async (context, _, folder) => {
      await expect(build(context, input())).rejects.toMatchObject({ code: "tool-failed", exitStatus: 3 });
      expect(await readBuildReport(join(folder, ".library/build.json"))).toMatchObject({
        status: "failed",
        stages: [{ name: "RUN make", status: "failed", duration: 1000 }],
        failure: { code: "tool-failed", exitStatus: 17, tail: ["no rule", "RUN make: exit code: 2"] },
      });
      expect((await readdir(join(folder, ".library"))).sort()).toEqual([".gitignore", "build.json"]);
    });
  });

  test.each<[string, FakeBuildxOptions, string]>([
    ["without a metadata file", { leavesOut: "metadata" }, "tool-failed"],
    ["with another digest in it", { claims: digestOfNothing }, "digest-mismatch"],
    ["with no digest in it", { claims: "latest" }, "tool-failed"],
  ])("%s keeps nothing of the export", async (_, options, code) => {
    await inProject(options, async (context, _, folder) => {
      await expect(build(context, input())).rejects.toMatchObject({ code });
      expect(await readBuildReport(join(folder, ".library/build.json"))).toMatchObject({
        status: "failed",
        failure: { code },
      });
      expect((await readdir(join(folder, ".library"))).sort()).toEqual([".gitignore", "build.json"]);
    });
  });

  test("keeps the image of the build before", async () => {
    await inProject({}, async (context, { image }, folder) => {
      await build(context, input());
      const { run } = fakeBuildx({ fails: failure });
      await expect(build({ ...context, run }, input())).rejects.toMatchObject({ code: "tool-failed" });
      const store = await openSource(context, { kind: "layout", path: join(folder, ".library/layout") });
      expect((await store.resolve("latest", context)).descriptor.digest).toBe(image.descriptor.digest);
    });
  });

  test("by an interruption says so in its report", async () => {
    const stop = new AbortController();
    const during = async () => {
      stop.abort(new LibraryError("interrupted", "Interrupted by SIGINT"));
      stop.signal.throwIfAborted();
    };
    await inProject({ during, signal: stop.signal }, async (context, _, folder) => {
      await expect(build(context, input())).rejects.toMatchObject({ code: "interrupted" });
      expect(await readBuildReport(join(folder, ".library/build.json"))).toMatchObject({
        status: "failed",
        failure: { code: "interrupted" },
      });
    });
  });
});

describe("build() for Docker", () => {
  test("is left out with a notice where it is only the default and no engine answers", async () => {
    await inProject({}, async (context, { builds }) => {
      const { warnings } = await build(context, input());
      expect([builds.length, warnings[0]]).toEqual([1, expect.stringContaining("no engine answers")]);
      expect(context.events).toContainEqual(expect.objectContaining({ kind: "warning", code: "build-plan" }));
    });
  });

  test("is tool-missing before anything is built where the manifest asks for it in so many words", async () => {
    await inProject({ manifest: withOutput("type=docker") }, async (context, { builds }, folder) => {
      await expect(build(context, input())).rejects.toMatchObject({ code: "tool-missing", exitStatus: 3 });
      expect([builds.length, (await readdir(folder)).includes(".library")]).toEqual([0, false]);
    });
  });

  test.each([minimalManifest, withOutput("type=docker")])(
    "is a second export without provenance where an engine answers",
    async (manifest) => {
      await inProject({ manifest, there: ["docker buildx", "docker"] }, async (context, { builds }) => {
        await build(context, input());
        const outputs = builds.map((argv) => argv.filter((word) => /^--(output|provenance)=/.test(word)));
        expect(outputs.map((words) => words.at(-1))).toEqual(["--provenance=mode=min", "--provenance=false"]);
        expect(outputs[1]?.[0]).toBe("--output=type=docker");
      });
    },
  );

  test("is left out for several platforms where it is only the default", async () => {
    const manifest = manifestWith("build:\n", "build:\n  platforms: [linux/amd64, linux/arm64]\n");
    await inProject({ manifest, there: ["docker buildx", "docker"] }, async (context, { builds }) => {
      await build(context, input());
      expect(builds.length).toBe(1);
    });
  });
});

test.each([
  ["type=oci", 1],
  ["type=local,dest=out", 2],
  ["type=registry", 2],
] as const)("build() with output %s makes %d exports", async (output, count) => {
  await inProject({ manifest: withOutput(output) }, async (context, { builds }, folder) => {
    await build(context, input());
    expect(builds.length).toBe(count);
    if (output.startsWith("type=local")) expect(builds[1]).toContain(`--output=type=local,dest=${folder}/out`);
  });
});
