import { describe, expect, test } from "bun:test";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../../src/cli/app.ts";
import { commands } from "../../src/cli/commands.ts";
import { build } from "../../src/operations/build.ts";
import { login } from "../../src/operations/login.ts";
import { makeSample } from "../contract/sample.ts";
import { fakeBuildx } from "../support/fake-buildx.ts";
import { expectGolden } from "../support/golden.ts";
import { type Places, type PlacesWorld, withPlaces } from "../support/image-places.ts";
import { minimalManifest } from "../support/manifest-text.ts";
import { type TestWorld, testWorld } from "../support/world.ts";

/** One command line on fixed input, rendered as text and as JSON. */
interface Case {
  /** The file's name: the verb, with what is special of it behind. */
  readonly name: string;
  /** HOST is the registry and DIGEST an index that is in it and in the layout `source`, under the tag 1.0. */
  readonly argv: string;
  readonly given?: PlacesWorld;
  readonly before?: (places: Places) => Promise<void>;
  readonly exit?: number;
}

const sample = makeSample();
const [member] = sample.members;
const layer = member && "layers" in member.value ? member.value.layers[0]?.digest : undefined;
const manifestFile = ".library.manifest.yaml";
const project = { [manifestFile]: minimalManifest, Dockerfile: "FROM scratch\n", "dist/app": "#!/bin/sh\n" };
const users = { alice: "secret" };

/** Leaves what `build` makes in the workspace, for a manifest of this registry. */
async function built({ context, folder, registry }: Places): Promise<void> {
  const manifest = minimalManifest.replace("host: registry.example.org", `host: ${registry.host}`);
  await writeFile(join(folder, manifestFile), manifest);
  await build({ ...context, run: fakeBuildx().run }, { dryRun: false });
}

const cases: readonly Case[] = [
  { name: "init", argv: "init --from given.yaml", given: { files: { "given.yaml": minimalManifest } } },
  { name: "validate", argv: "validate", given: { files: project } },
  { name: "build", argv: "build", given: { files: project } },
  { name: "build-dry-run", argv: "build --dry-run", given: { files: project } },
  {
    name: "append",
    argv: "append --layer dist:/srv --platform linux/amd64 --platform linux/arm64 --entrypoint /srv/app -o oci:out:1.0",
    given: { files: project },
  },
  { name: "push-image", argv: "push image", given: { files: project }, before: built },
  { name: "push-image-dry-run", argv: "push image --dry-run -t 2", given: { files: project }, before: built },
  {
    name: "push-image-incomplete",
    argv: "push image --tag 1 --tag 127.0.0.1:1/no/where:1",
    given: { files: project },
    before: built,
    exit: 3,
  },
  { name: "pull", argv: "pull HOST/team/app:1.0" },
  { name: "copy", argv: "copy oci:source:1.0 HOST/other/app --tag latest" },
  { name: "copy-all-tags", argv: "copy --all-tags oci:source oci-archive:all.tar" },
  { name: "export", argv: "export --layout-dir layouts --sparse HOST/team/app:1.0" },
  { name: "tag", argv: "tag --force HOST/team/app:1.0 1 1.0 single" },
  { name: "delete", argv: "delete --yes HOST/team/app@DIGEST" },
  { name: "delete-dry-run", argv: "delete --dry-run HOST/team/app:1.0" },
  { name: "inspect", argv: "inspect --platform linux/amd64 oci:source:1.0" },
  { name: "inspect-index", argv: "inspect HOST/team/app:1.0" },
  { name: "inspect-artifact", argv: "inspect oci:source:single" },
  { name: "resolve", argv: "resolve HOST/team/app:1.0" },
  { name: "tags", argv: "tags HOST/team/app" },
  { name: "tags-limit", argv: "tags --limit 1 oci:source" },
  { name: "blob-get", argv: `blob get -o layer HOST/team/app@${layer}` },
  { name: "blob-put", argv: "blob put HOST/team/app file", given: { files: { file: "content" } } },
  { name: "blob-head", argv: `blob head oci:source@${layer}` },
  { name: "manifest-get", argv: "manifest get -o manifest.json HOST/team/app:1.0" },
  {
    name: "manifest-put",
    argv: "manifest put HOST/team/app:new m.json",
    given: { files: { "m.json": '{"schemaVersion":2,"manifests":[]}' } },
  },
  { name: "manifest-head", argv: "manifest head HOST/team/app@DIGEST" },
  {
    name: "login",
    argv: "login --username alice --password-stdin HOST",
    given: { stdin: "secret\n", users },
  },
  {
    name: "logout",
    argv: "logout HOST",
    given: { stdin: "secret" },
    before: async ({ context, registry }) => {
      const input = { username: "alice", passwordStdin: true, identityTokenStdin: false };
      await login(context, { registry: registry.host, ...input });
    },
  },
  { name: "ping", argv: "ping HOST/team/app" },
  { name: "ping-closed", argv: "ping HOST", given: { users } },
  { name: "serve", argv: "serve --root registry --address 127.0.0.1:0" },
  { name: "version", argv: "version" },
  { name: "error-1-tag-moved", argv: "tag HOST/team/app:1.0 single", exit: 1 },
  { name: "error-2-usage", argv: "copy --plattform linux/amd64 oci:source:1.0 oci:target", exit: 2 },
  { name: "error-2-missing", argv: "init --yes --set registry.host=registry.example.org", exit: 2 },
  { name: "error-2-reference", argv: "inspect HOST/Team/app:1.0", exit: 2 },
  {
    name: "error-2-manifest",
    argv: "validate",
    given: {
      files: { [manifestFile]: minimalManifest.replace('"1.10"', "1.10").replace("kind: [headless]", "kind: 3") },
    },
    exit: 2,
  },
  { name: "error-3-not-found", argv: "resolve HOST/team/app:absent", exit: 3 },
  { name: "error-3-unauthorized", argv: "tags HOST/team/app", given: { users }, exit: 3 },
  { name: "error-3-network", argv: "ping 127.0.0.1:1", exit: 3 },
];

/** They print text that has golden files of its own, and nothing as JSON. */
const withoutReport = ["help", "completion"];

async function runCase({ argv, given = {}, before }: Case, flags: readonly string[]) {
  let ended: { readonly status: number; readonly world: TestWorld } | undefined;
  let folder = "";
  await withPlaces(given, async (places) => {
    folder = places.folder;
    if (given.users === undefined && /HOST\/team|oci:source/.test(argv)) {
      for (const place of [`${places.registry.host}/team/app`, "oci:source"]) {
        await places.seed(`${place}:1.0`, sample.backend, sample.index);
        await places.seed(`${place}:single`, sample.backend, sample.image);
      }
    }
    await before?.(places);
    const { serve } = places.context;
    const context = {
      ...places.context,
      run: fakeBuildx().run,
      // As if the user pressed Ctrl-C once it listens
      serve: async (options: Parameters<typeof serve>[0]) => {
        const server = await serve(options);
        setTimeout(() => world.interrupt(), 0);
        return server;
      },
    };
    const world = testWorld({ cwd: folder, context });
    const words = argv
      .replaceAll("HOST", places.registry.host)
      .replaceAll("DIGEST", sample.index.descriptor.digest)
      .split(" ");
    ended = { status: await run([...words, ...flags], world), world };
  });
  if (ended === undefined) throw new Error("the command did not run");
  const { status, world } = ended;
  const stable = (text: string) => stabilised(text, folder);
  return { status, stdout: stable(world.stdout()), stderr: stable(world.stderr()) };
}

/** The text with what depends on the run or the machine replaced by names; times and durations are fixed. */
function stabilised(text: string, folder: string): string {
  return text
    .replaceAll(folder, "/project")
    .replaceAll(/127\.0\.0\.1:(?!1\b)\d+/g, "127.0.0.1:PORT")
    .replaceAll(/(?:bun|deno) \d+\.\d+\.\d+/g, "RUNTIME")
    .replaceAll(
      /"os": "[a-z0-9]+",\n {4}"architecture": "[a-z0-9]+"/g,
      '"os": "OS",\n    "architecture": "ARCHITECTURE"',
    )
    .replaceAll(/RUNTIME, [a-z0-9]+\/[a-z0-9]+/g, "RUNTIME, OS/ARCHITECTURE");
}

const files = new URL("reports/", import.meta.url);

describe.each(cases.map((one) => [one.name, one] as const))("the report of %s", (name, one) => {
  test("as text", async () => {
    const { status, stdout, stderr } = await runCase(one, ["--quiet"]);
    const parts = [
      `$ library ${one.argv}\n`,
      stdout,
      stderr === "" ? "" : `[standard error]\n${stderr}`,
      `[exit ${status}]\n`,
    ];
    await expectGolden(new URL(`${name}.txt`, files), parts.join(""));
    expect(status).toBe(one.exit ?? 0);
  });

  test("as JSON", async () => {
    const { status, stdout } = await runCase(one, ["--quiet", "--json"]);
    await expectGolden(new URL(`${name}.json`, files), stdout);
    expect(status).toBe(one.exit ?? 0);
  });
});

test("every command has a report here", () => {
  const names = commands.map((command) => command.name.replace(" ", "-"));
  const reported = new Set(cases.map(({ name }) => name));
  expect(names.filter((name) => !reported.has(name) && !withoutReport.includes(name))).toEqual([]);
});

test("no report of a case that is gone", async () => {
  const expected = cases.flatMap(({ name }) => [`${name}.json`, `${name}.txt`]);
  expect((await readdir(files)).sort()).toEqual(expected.sort());
});
