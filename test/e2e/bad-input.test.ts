import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { filesBelow } from "../support/file-tree.ts";
import { fingerprints } from "../support/fingerprints.ts";
import { manifestWith, minimalManifest } from "../support/manifest-text.ts";
import { runLibrary } from "../support/program.ts";

const manifest = ".library.manifest.yaml";

interface Case {
  readonly name: string;
  readonly argv: readonly string[];
  readonly status: 2 | 3;
  readonly code: string;
  /** Files of the folder in which it runs. */
  readonly files?: Readonly<Record<string, string>>;
  /** What standard error says besides. */
  readonly says?: RegExp;
}

const project = { [manifest]: minimalManifest, Dockerfile: "FROM scratch\n" };
const nobody = "127.0.0.1:PORT/team/app:1";

const cases: readonly Case[] = [
  { name: "an unknown command", argv: ["cpoy", "a", "b"], status: 2, code: "usage", says: /library copy/ },
  { name: "an unknown flag", argv: ["pull", "--plattform", "x", nobody], status: 2, code: "usage", says: /--platform/ },
  { name: "a flag without its value", argv: ["pull", nobody, "-o"], status: 2, code: "usage" },
  { name: "an argument too many", argv: ["inspect", nobody, nobody], status: 2, code: "usage" },
  { name: "a missing argument", argv: ["copy", nobody], status: 2, code: "usage" },
  { name: "an unknown shell", argv: ["completion", "tcsh"], status: 2, code: "usage" },
  { name: "a concurrency of none", argv: ["pull", "--concurrency", "0", nobody], status: 2, code: "usage" },
  {
    name: "a repository in capitals",
    argv: ["pull", "registry.example.org/Team/App:1"],
    status: 2,
    code: "invalid-reference",
  },
  {
    name: "a traversing repository",
    argv: ["tags", "127.0.0.1:PORT/a/../../v2/_catalog"],
    status: 2,
    code: "invalid-reference",
  },
  { name: "an encoded traversal", argv: ["tags", "127.0.0.1:PORT/a/%2e%2e/b"], status: 2, code: "invalid-reference" },
  { name: "a query in a tag", argv: ["inspect", "127.0.0.1:PORT/a:1?n=2"], status: 2, code: "invalid-reference" },
  { name: "a short digest", argv: ["inspect", "127.0.0.1:PORT/a@sha256:abc"], status: 2, code: "invalid-reference" },
  {
    name: "a traversing digest",
    argv: ["blob", "get", "127.0.0.1:PORT/a@sha256:../../etc/passwd"],
    status: 2,
    code: "invalid-reference",
  },
  {
    name: "a tag that begins with a dash",
    argv: ["copy", nobody, "oci:out:1", "--tag=-x"],
    status: 2,
    code: "invalid-reference",
  },
  {
    name: "a platform of one word",
    argv: ["pull", "--platform", "arm64", nobody],
    status: 2,
    code: "invalid-platform",
  },
  {
    name: "a manifest file that is missing",
    argv: ["validate"],
    status: 2,
    code: "invalid-manifest-file",
    says: /library init/,
  },
  {
    name: "a manifest file with a wrong value",
    argv: ["validate"],
    files: { ...project, [manifest]: manifestWith("- latest # moving", "- Not a tag") },
    status: 2,
    code: "invalid-manifest-file",
    says: /\.library\.manifest\.yaml:9:7: /,
  },
  {
    name: "a manifest file with a number for a tag, of build",
    argv: ["build"],
    files: { ...project, [manifest]: manifestWith('- "1.10"', "- 1.10") },
    status: 2,
    code: "invalid-manifest-file",
    says: /\.library\.manifest\.yaml:8:7: .*\n(?:.*\n)*hint: .*"1\.10"/,
  },
  {
    name: "a manifest file that is no YAML, of append",
    argv: ["append", "-m", manifest, "--layer", ".:/srv"],
    files: { ...project, [manifest]: manifestWith("host: registry", "host: [registry") },
    status: 2,
    code: "invalid-manifest-file",
    says: /\.library\.manifest\.yaml:\d+:\d+: /,
  },
  {
    name: "a registry that is down, of pull",
    argv: ["pull", nobody, "-o", "out"],
    status: 3,
    code: "network-error",
    says: /hint: /,
  },
  {
    name: "a registry that is down, of copy to an archive",
    argv: ["copy", nobody, "oci-archive:out.tar:1"],
    status: 3,
    code: "network-error",
    says: /hint: /,
  },
  {
    name: "a registry that is down, of ping",
    argv: ["ping", "127.0.0.1:PORT"],
    status: 3,
    code: "network-error",
    says: /hint: /,
  },
  { name: "no builder", argv: ["build"], files: project, status: 3, code: "tool-missing", says: /hint: / },
  {
    name: "no build to push",
    argv: ["push", "image"],
    files: project,
    status: 2,
    code: "build-missing",
    says: /hint: .*library build/,
  },
  { name: "a layout that is missing", argv: ["inspect", "oci:none:1"], status: 3, code: "not-found" },
  {
    name: "an archive that is missing",
    argv: ["copy", "oci-archive:none.tar:1", "oci:out:1"],
    status: 3,
    code: "not-found",
  },
  {
    name: "an output below a file",
    argv: ["append", "--layer", ".:/srv", "-o", "oci-archive:Dockerfile/out.tar:1"],
    files: project,
    status: 3,
    code: "io-error",
    says: /Dockerfile/,
  },
  {
    name: "an output that is a file instead of a layout",
    argv: ["append", "--layer", ".:/srv", "-o", "oci:Dockerfile:1"],
    files: project,
    status: 2,
    code: "invalid-input",
    says: /oci-archive:/,
  },
  {
    name: "an output in a folder that takes no files",
    argv: ["append", "--layer", ".:/srv", "-o", "oci:/proc/none:1"],
    files: project,
    status: 3,
    code: "io-error",
    says: /\/proc/,
  },
  {
    name: "a manifest file that init would replace",
    argv: ["init", "--yes"],
    files: project,
    status: 2,
    code: "already-exists",
    says: /--force/,
  },
  {
    name: "a layer that is missing",
    argv: ["append", "--layer", "none:/srv", "-o", "oci:out:1"],
    status: 2,
    code: "invalid-input",
  },
  { name: "a password that nobody gives", argv: ["login", "127.0.0.1:PORT"], status: 2, code: "usage" },
];

describe("the executable, given", () => {
  let dir = "";
  let port = 0;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), "library-bad-"));
    port = await closedPort();
  });
  afterAll(() => rm(dir, { recursive: true, force: true }));

  test.each(cases)(
    "$name, exits $status with $code and writes nothing",
    async (given) => {
      const folder = await mkdtemp(join(dir, "case-"));
      for (const [name, text] of Object.entries(given.files ?? {})) await writeFile(join(folder, name), text);
      const argv = given.argv.map((word) => word.replace("PORT", String(port)));
      const before = await stateOf(folder);
      // No program can be found, and nothing of the user's configuration
      const options = { cwd: folder, env: { PATH: "/nonexistent/bin", HOME: join(folder, "home") } };

      const text = await runLibrary(argv, options);
      expect({ status: text.status, stdout: text.stdout.toString(), stderr: text.stderr }).toEqual({
        status: given.status,
        stdout: "",
        stderr: expect.stringMatching(/(?:^|\n)error: Cannot [^\n]+\n/),
      });
      if (given.says) expect(text.stderr).toMatch(given.says);

      const json = await runLibrary([...argv, "--json"], options);
      expect(json.status).toBe(given.status);
      const envelope = JSON.parse(json.stdout.toString());
      expect(envelope).toMatchObject({ schemaVersion: 1, status: "error", exitCode: given.status });
      expect(envelope.errors[0]).toMatchObject({ code: given.code });
      expect(await stateOf(folder)).toEqual(before);
    },
    30_000,
  );

  test("a manifest file with several problems, tells all in JSON with line and column", async () => {
    const folder = await mkdtemp(join(dir, "several-"));
    const text = manifestWith("- latest # moving", "- Not a tag").replace("licenses: Apache-2.0", "licenses: Apache 2");
    await writeFile(join(folder, manifest), text);
    const { status, stdout } = await runLibrary(["validate", "--json"], { cwd: folder });
    expect(status).toBe(2);
    const { errors } = JSON.parse(stdout.toString());
    const places = JSON.stringify(errors);
    for (const place of [
      { line: 9, column: 7 },
      { line: 19, column: 15 },
    ]) {
      expect(places).toContain(`"line":${place.line},"column":${place.column}`);
    }
  });
});

async function stateOf(folder: string): Promise<unknown> {
  return { files: await filesBelow(folder), content: [...(await fingerprints(folder))].sort() };
}

/** A port of 127.0.0.1 at which nobody listens. */
async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  if (typeof address !== "object" || address === null) throw new Error("the system gave no port");
  return address.port;
}
