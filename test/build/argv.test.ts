import { describe, expect, test } from "bun:test";
import { type ArgvParts, buildArgv, displayArgv } from "../../src/build/argv.ts";
import { guard } from "../../src/build/guardrail.ts";

const parts: ArgvParts = {
  command: ["docker", "buildx"],
  dockerfile: "/p/Dockerfile",
  context: "/p",
  tags: ["example.org/a/b:1", "example.org/a/b:2"],
  platforms: ["linux/amd64"],
  labels: { "org.example.a": "1" },
  flags: [],
  metadataFile: "/t/meta.json",
  export: { kind: "layout", path: "/t/layout" },
};

function argvWith(changes: Partial<ArgvParts>, ...args: readonly string[]): readonly string[] {
  return buildArgv({ ...parts, flags: guard(args, "expert", "x").flags, ...changes });
}

describe("buildArgv()", () => {
  test("is this for a layout", () => {
    expect(argvWith({})).toEqual([
      "docker",
      "buildx",
      "build",
      "--file=/p/Dockerfile",
      "--tag=example.org/a/b:1",
      "--tag=example.org/a/b:2",
      "--platform=linux/amd64",
      "--output=type=oci,tar=false,oci-artifact=true,dest=/t/layout",
      "--provenance=mode=min",
      "--label=org.example.a=1",
      "--annotation=manifest:org.example.a=1",
      "--annotation=index:org.example.a=1",
      "--metadata-file=/t/meta.json",
      "--progress=rawjson",
      "/p",
    ]);
  });

  test("is this for Docker, without what its exporter refuses", () => {
    const docker = { command: ["buildx"], export: { kind: "docker", output: "type=docker" } } as const;
    expect(argvWith(docker, "--provenance=mode=max", "--sbom=true", "--attest=type=sbom", "--pull")).toEqual([
      "buildx",
      "build",
      "--file=/p/Dockerfile",
      "--tag=example.org/a/b:1",
      "--tag=example.org/a/b:2",
      "--platform=linux/amd64",
      "--output=type=docker",
      "--provenance=false",
      "--label=org.example.a=1",
      "--metadata-file=/t/meta.json",
      "--progress=rawjson",
      "--pull",
      "/p",
    ]);
  });

  test("is for any other output as for a layout but for that output", () => {
    const other = argvWith({ export: { kind: "other", output: "type=local,dest=/o" } });
    expect(other.filter((word) => word.startsWith("--output"))).toEqual(["--output=type=local,dest=/o"]);
    expect(other.length).toBe(argvWith({}).length);
  });

  test.each<[string, readonly string[], readonly string[], boolean]>([
    ["nothing", [], ["--provenance=mode=min"], true],
    ["a mode", ["--provenance=mode=max"], ["--provenance=mode=max"], true],
    ["none", ["--provenance=false"], ["--provenance=false"], false],
    ["an attestation", ["--attest", "type=provenance,mode=max"], ["--attest=type=provenance,mode=max"], true],
    ["no attestation", ["--attest=type=provenance,disabled=true"], ["--attest=type=provenance,disabled=true"], false],
    ["another attestation", ["--attest=type=sbom"], ["--provenance=mode=min", "--attest=type=sbom"], true],
  ])("states provenance once, and annotates an index where there is one: %s", (_, args, expected, hasIndex) => {
    const argv = argvWith({}, ...args);
    expect(argv.filter((word) => /^--(provenance|attest)=/.test(word))).toEqual([...expected]);
    expect(argv.some((word) => word.startsWith("--annotation=index:"))).toBe(hasIndex);
    const several = argvWith({ platforms: ["linux/amd64", "linux/arm64"] }, ...args);
    expect(several.some((word) => word.startsWith("--annotation=index:"))).toBe(true);
  });

  test.each([["--progress=plain"], ["--quiet"], ["-q"]])("leaves progress to the user: %s", (arg) => {
    expect(argvWith({}, arg)).not.toContain("--progress=rawjson");
  });

  test("keeps every value in its flag's argument, and the context absolute", () => {
    const argv = argvWith({
      tags: ["-x", "--push"],
      labels: { "-o": "--load\nline\ttwo", k: "a=b" },
      platforms: ["--push"],
      export: { kind: "layout", path: '/t/a,b"c' },
    });
    const words = argv.slice(3, -1);
    expect(words.every((word) => /^--[a-z-]+=/.test(word))).toBe(true);
    expect(words).toContain("--label=-o=--load\nline\ttwo");
    expect(words).toContain("--annotation=index:k=a=b");
    expect(words).toContain('--output=type=oci,tar=false,oci-artifact=true,"dest=/t/a,b""c"');
    expect(argv.at(-1)).toBe("/p");
  });

  test.each([
    ["linux/arm/v7", "linux/arm/v7"],
    ["windows/amd64:10.0.20348.2031", "windows(10.0.20348.2031)/amd64"],
  ])("writes platform %s as %s", (platform, expected) => {
    expect(argvWith({ platforms: [platform] })).toContain(`--platform=${expected}`);
  });
});

describe("displayArgv()", () => {
  test("quotes what a shell would divide, and hides what may be secret", () => {
    const words = [
      "buildx",
      "--build-arg=API_TOKEN=hunter2",
      "--build-arg=npm_password=p",
      "--build-arg=V=1",
      "--label=t=it's a",
      "/p",
    ];
    expect(displayArgv(words)).toBe(
      "buildx '--build-arg=API_TOKEN=***' '--build-arg=npm_password=***' --build-arg=V=1 '--label=t=it'\\''s a' /p",
    );
  });
});
