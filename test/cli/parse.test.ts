import { describe, expect, test } from "bun:test";
import { parseCommandLine } from "../../src/cli/parse.ts";
import { InvalidInputError, UsageError } from "../../src/core/error.ts";
import { echoCommand, pushImageCommand } from "../support/commands.ts";
import { thrownBy } from "../support/thrown.ts";

const echo = echoCommand();

describe("parseCommandLine() keeps values as they are written", () => {
  test.each<[string[], object]>([
    [["a"], { source: "a" }],
    [["a", "--tag", "1.10"], { source: "a", tag: ["1.10"] }],
    [["1.10", "0x10", "1e3"], { source: "1.10", extras: ["0x10", "1e3"] }],
    [["a", "--tag", "1", "-t", "2", "-t3"], { source: "a", tag: ["1", "2", "3"] }],
    [["a", "--tag=-x"], { source: "a", tag: ["-x"] }],
    [["a", "--output=--json"], { source: "a", output: "--json" }],
    [["a", "-o", "-"], { source: "a", output: "-" }],
    [["a", "--output", ""], { source: "a", output: "" }],
    [["a", "--output=a=b"], { source: "a", output: "a=b" }],
    [["-no", "file", "a"], { source: "a", dryRun: true, output: "file" }],
    [["--dry-run", "a"], { source: "a", dryRun: true }],
    [["-"], { source: "-" }],
    [["a", "--", "--load", "-x", "b"], { source: "a", passthrough: ["--load", "-x", "b"] }],
    [["a", "--"], { source: "a", passthrough: [] }],
    [["__proto__"], { source: "__proto__" }],
  ])("%j", (args, own) => {
    expect(parseCommandLine(echo, args)).toEqual({ own: own as never, shared: {} });
  });

  test("and tells shared flags from the command's own", () => {
    const line = parseCommandLine(echo, ["a", "-nq", "--json", "--ca-file", "x", "--ca-file", "y", "--digest-file=d"]);
    expect(line.shared).toEqual({ quiet: true, json: true, caFile: ["x", "y"], digestFile: "d" });
    expect(line.own).toEqual({ source: "a", dryRun: true });
  });
});

describe("parseCommandLine() refuses", () => {
  test.each<[string, string[], string]>([
    ["an unknown flag", ["a", "--unknown"], "--unknown"],
    ["a flag named like a property of objects", ["a", "--constructor"], "--constructor"],
    ["a negation that no spec names", ["a", "--no-dry-run"], "--no-dry-run"],
    ["an unknown letter in a bundle", ["a", "-nz"], "-z"],
    ["a value for a flag without one", ["a", "--dry-run=yes"], "--dry-run"],
    ["a missing value at the end", ["a", "--output"], "--output"],
    ["a missing value before a flag", ["a", "--output", "--dry-run"], "--output"],
    ["a single value given twice", ["a", "--output", "x", "-o", "y"], "--output"],
    ["a missing argument", [], "SOURCE"],
  ])("%s", (_, args, named) => {
    const error = thrownBy(() => parseCommandLine(echo, args));
    expect(error).toBeInstanceOf(UsageError);
    expect(error).toMatchObject({ code: "usage", exitStatus: 2, message: expect.stringContaining(named) });
  });

  test("an argument too many", () => {
    const error = thrownBy(() => parseCommandLine(pushImageCommand, ["--layout", "x", "extra"]));
    expect(error).toMatchObject({ code: "usage", message: expect.stringContaining('"extra"') });
  });

  test("a bare -- where nothing is passed on", () => {
    const error = thrownBy(() => parseCommandLine(pushImageCommand, ["--layout", "x", "--", "y"]));
    expect(error).toMatchObject({ code: "usage", message: expect.stringContaining('"--"') });
  });

  test("registry flags on a command that reaches none", () => {
    expect(thrownBy(() => parseCommandLine(pushImageCommand, ["--plain-http"]))).toMatchObject({ code: "usage" });
  });

  test("several problems at once, each with its flag", () => {
    const error = thrownBy(() => parseCommandLine(echo, ["--nope", "--output", "--dry-run=1"]));
    expect(error).toBeInstanceOf(InvalidInputError);
    expect(error).toMatchObject({ code: "usage", exitStatus: 2 });
    const paths = error instanceof InvalidInputError ? error.problems.map((problem) => problem.path) : [];
    expect(paths).toEqual(["--nope", "--output", "SOURCE"]);
  });
});

describe("parseCommandLine() suggests for an unknown flag", () => {
  test.each([
    ["the nearest flag", "--platfrom", "--platform"],
    ["the flag that it begins", "--plain", "--plain-http"],
    ["our name for another tool's flag", "--format", "--json"],
    ["our name for another tool's letter", "-v", "--debug"],
  ])("%s", (_, flag, proposal) => {
    const error = thrownBy(() => parseCommandLine(echo, ["a", flag]));
    expect(error).toMatchObject({ hint: expect.stringContaining(proposal) });
  });

  test("nothing that the command does not take", () => {
    const error = thrownBy(() => parseCommandLine(pushImageCommand, ["--layout=x", "--insecure"]));
    expect(error).toMatchObject({ hint: 'Run "library push image --help"' });
  });
});
