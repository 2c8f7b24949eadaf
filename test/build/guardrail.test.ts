import { describe, expect, test } from "bun:test";
import { buildxFlags } from "../../src/build/buildx-flags.ts";
import { flagArgument, guard, type PolicyProfile } from "../../src/build/guardrail.ts";
import { isLibraryError } from "../../src/core/error.ts";
import { thrownBy } from "../support/thrown.ts";

const flags = Object.entries(buildxFlags);

/** Every way in which pflag takes a flag, alone and in a bundle. */
function forms(name: string, value: string): readonly (readonly string[])[] {
  const { takes, short } = buildxFlags[name] ?? { takes: "none" };
  const long = takes === "value" ? [[`--${name}=${value}`], [`--${name}`, value]] : [[`--${name}`], [`--${name}=true`]];
  if (short === undefined) return long;
  const letters =
    takes === "value"
      ? [
          [`-${short}${value}`],
          [`-${short}=${value}`],
          [`-${short}`, value],
          [`-q${short}${value}`],
          [`-Dq${short}`, value],
          [`-qD${short}=${value}`],
        ]
      : [[`-${short}`], [`-D${short}`], [`-${short}=true`], [`-q${short}m1g`]];
  return [...long, ...letters];
}

function codeOf(args: readonly string[], profile: PolicyProfile = "expert"): string {
  const thrown = thrownBy(() => guard(args, profile, "the test"));
  return isLibraryError(thrown) ? thrown.code : String(thrown);
}

describe("guard()", () => {
  const owned = flags.filter(([, { owner }]) => owner === "manifest" || owner === "program").map(([name]) => name);
  test.each(owned)("refuses --%s in every form, and names it", (name) => {
    for (const form of forms(name, "value")) {
      for (const args of [form, ["--build-arg", "A=1", ...form], [...form, "--no-cache"]]) {
        const thrown = thrownBy(() => guard(args, "expert", "build.options"));
        expect([args, thrown]).toEqual([args, expect.objectContaining({ code: "owned-flag" })]);
        expect(String(thrown)).toContain(`--${name} `);
      }
    }
  });

  test("owns what the manifest and the program decide", () => {
    expect([...owned].sort()).toEqual([
      "annotation",
      "call",
      "check",
      "file",
      "help",
      "iidfile",
      "label",
      "load",
      "metadata-file",
      "output",
      "platform",
      "print",
      "push",
      "tag",
    ]);
  });

  const policy = ["attest", "sbom", "provenance", "allow", "policy"] as const;
  test.each(policy)("warns of --%s, rejects it under strict, passes it under expert", (name) => {
    for (const form of forms(name, "value")) {
      expect(guard(form, "default", "x").warnings.length).toBe(1);
      expect(guard(form, "expert", "x").warnings).toEqual([]);
      expect(codeOf(form, "strict")).toBe("owned-flag");
    }
  });

  test("judges --network by its value", () => {
    for (const form of forms("network", "host")) {
      expect(guard(form, "default", "x").warnings.length).toBe(1);
      expect(codeOf(form, "strict")).toBe("owned-flag");
    }
    for (const form of forms("network", "none")) expect(guard(form, "strict", "x").warnings).toEqual([]);
  });

  const passing = flags.filter(([, { owner }]) => owner === "user").map(([name]) => name);
  test.each(passing)("passes --%s in every form, under strict too", (name) => {
    for (const form of forms(name, "value")) {
      const { flags, warnings } = guard(form, "strict", "x");
      expect([flags.some((flag) => flag.name === name), warnings]).toEqual([true, []]);
    }
  });

  test.each<[string, readonly string[], readonly string[]]>([
    ["a value that looks like an owned flag", ["--build-arg", "--tag"], ["--build-arg=--tag"]],
    ["a value that looks like a short one", ["--secret", "-o"], ["--secret=-o"]],
    ["a value behind a short flag", ["-m", "-t"], ["--memory=-t"]],
    ["a value in a short flag", ["-mt"], ["--memory=t"]],
    ["a value that holds =", ["--build-arg=A=--tag=x"], ["--build-arg=A=--tag=x"]],
    ["an empty value", ["--target="], ["--target="]],
    ["a bundle", ["-qDc", "5"], ["--quiet", "--debug", "--cpu-shares=5"]],
    ["a bare = behind a switch and a value", ["-m="], ["--memory=="]],
    ["switches with and without values", ["--no-cache", "--pull=false"], ["--no-cache", "--pull=false"]],
    ["the order given", ["--target=a", "--pull", "--target", "b"], ["--target=a", "--pull", "--target=b"]],
    ["nothing", [], []],
  ])("reads %s", (_, args, expected) => {
    expect(guard(args, "strict", "x").flags.map(flagArgument)).toEqual([...expected]);
  });

  test.each<[string, readonly string[]]>([
    ["a second context", ["."]],
    ["a context behind flags", ["--no-cache", "elsewhere"]],
    ["standard input as context", ["-"]],
    ["a second --", ["--", "--tag=x"]],
    ["a value behind a switch", ["--pull", "true"]],
    ["an unknown long flag", ["--unknown=1"]],
    ["an abbreviated flag", ["--ta=x"]],
    ["an unknown short flag", ["-x"]],
    ["an unknown letter in a bundle", ["-qz"]],
    ["a flag without its value", ["--target"]],
    ["a short flag without its value", ["-qm"]],
    ["a name of every object", ["--constructor"]],
    ["an empty name", ["--=x"]],
    ["an empty argument", [""]],
    ["three dashes", ["---tag=x"]],
  ])("refuses %s", (_, args) => {
    expect(codeOf(args)).toBe("usage");
  });
});
