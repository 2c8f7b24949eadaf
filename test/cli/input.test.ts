import { describe, expect, test } from "bun:test";
import { parseInput, parseShared } from "../../src/cli/input.ts";
import { InvalidInputError } from "../../src/core/error.ts";
import { echoCommand, pushImageCommand } from "../support/commands.ts";
import { thrownBy } from "../support/thrown.ts";

const echo = echoCommand();

describe("parseInput()", () => {
  test("gives what the schema makes of the values", () => {
    expect(parseInput(echo, { source: "a", tag: ["1.10"] })).toEqual({ source: "a", tag: ["1.10"] });
  });

  test("names the flag of a required value that is absent", () => {
    const error = thrownBy(() => parseInput(pushImageCommand, {}));
    expect(error).toMatchObject({ code: "usage", message: 'Cannot run "library push image" without --layout' });
  });

  test("names every flag whose value is wrong", () => {
    const error = thrownBy(() => parseInput(echo, { source: "a", tag: ["x".repeat(21)], mode: "slow" }));
    const problems = error instanceof InvalidInputError ? error.problems : [];
    expect(problems.map((problem) => problem.path)).toEqual(["--tag", "--mode"]);
    expect(problems.map((problem) => problem.message)).toEqual([
      "Cannot use --tag: expected at most 20 characters",
      'Cannot use --mode: is "slow", expected ("fast" | "safe")',
    ]);
  });
});

describe("parseShared()", () => {
  test("gives the defaults where nothing is said", () => {
    expect(parseShared(echo, {})).toEqual({
      json: false,
      quiet: false,
      debug: false,
      help: false,
      network: { plainHttp: false, insecureRegistries: [], caFiles: [], authFile: undefined, concurrency: 16 },
      digestFile: undefined,
    });
  });

  test.each(["1", "16", "64"])("takes --concurrency %s", (concurrency) => {
    expect(parseShared(echo, { concurrency }).network.concurrency).toBe(Number(concurrency));
  });

  test.each(["0", "65", "-1", "1.5", "0x10", " 4", "", "many"])("refuses --concurrency %j", (concurrency) => {
    expect(thrownBy(() => parseShared(echo, { concurrency }))).toMatchObject({
      code: "usage",
      message: expect.stringContaining("--concurrency"),
    });
  });

  test.each(["https://host", "user@host", ""])("refuses --insecure-registry %j", (host) => {
    expect(thrownBy(() => parseShared(echo, { insecureRegistry: [host] }))).toMatchObject({ code: "usage" });
  });
});
