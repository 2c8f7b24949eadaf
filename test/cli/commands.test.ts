import { describe, expect, test } from "bun:test";
import { readdir } from "node:fs/promises";
import { commands } from "../../src/cli/commands.ts";
import { findCommand } from "../../src/cli/find.ts";
import { parseInput, parseShared } from "../../src/cli/input.ts";
import { commonOptions, digestOptions, flagName, registryOptions } from "../../src/cli/options.ts";
import { parseCommandLine } from "../../src/cli/parse.ts";
import { shellWords } from "../../src/core/shell-words.ts";

const loaded = await Promise.all(commands.map(async (entry) => ({ entry, spec: await entry.load() })));
const byName = loaded.map(({ entry, spec }) => [entry.name, entry, spec] as const);

describe("the command", () => {
  test.each(byName)("%s is registered as its spec names it", (_, entry, spec) => {
    expect({ name: entry.name, aliases: entry.aliases }).toEqual({ name: spec.name, aliases: spec.aliases ?? [] });
  });

  test.each(byName)("%s has examples that its own spec takes", (_, entry, spec) => {
    expect(spec.examples.length).toBeGreaterThanOrEqual(2);
    for (const example of spec.examples) {
      // What stands before a pipe is another program, and redirections are the shell's
      const line =
        example
          .split(" | ")
          .at(-1)
          ?.replace(/ [<>] \S+$/, "") ?? "";
      const words = shellWords(line, "the example");
      expect(words[0]).toBe("library");
      const found = findCommand(words.slice(1), commands);
      expect(found).toMatchObject({ kind: "command", entry: { name: entry.name } });
      const { own, shared } = parseCommandLine(spec, found.kind === "command" ? found.args : []);
      parseShared(spec, shared);
      parseInput(spec, own);
    }
  });

  test.each(byName)("%s has flags that collide with no others", (_, __, spec) => {
    const shared = Object.keys({ ...commonOptions, ...registryOptions, ...digestOptions });
    const own = Object.keys(spec.options ?? {});
    expect([...own, ...Object.keys(spec.arguments ?? {})].filter((key) => shared.includes(key))).toEqual([]);
    const letters = Object.values({ ...spec.options, ...commonOptions }).flatMap((option) =>
      "short" in option && option.short !== undefined ? [option.short] : [],
    );
    expect(new Set(letters).size).toBe(letters.length);
    expect(letters.filter((letter) => !/^[A-Za-z]$/.test(letter))).toEqual([]);
    expect(own.map(flagName).filter((name) => !/^--[a-z0-9]+(-[a-z0-9]+)*$/.test(name))).toEqual([]);
  });

  test.each(byName)("%s says what it does in a line without a full stop", (_, __, spec) => {
    const descriptions = [
      spec.summary,
      ...Object.values(spec.arguments ?? {}).map((argument) => argument.description),
      ...Object.values(spec.options ?? {}).map((option) => option.description),
    ];
    expect(spec.summary).toMatch(/^[A-Z]/);
    expect(descriptions.filter((text) => !/^.*[^.]$/.test(text) || text.includes("\n"))).toEqual([]);
  });

  test.each(byName)("%s has only its list of arguments last", (_, __, spec) => {
    const kinds = Object.values(spec.arguments ?? {}).map((argument) => argument.kind);
    expect(kinds.slice(0, -1).filter((kind) => kind === "list" || kind === "required-list")).toEqual([]);
    // After one that may be absent, all may be
    expect(kinds.slice(kinds.indexOf("optional") + 1).includes("required") && kinds.includes("optional")).toBe(false);
  });
});

test("every module of src/cli/commands is a command that is registered", async () => {
  const files = await readdir(new URL("../../src/cli/commands/", import.meta.url));
  const expected = commands.map((entry) => `${entry.name.replace(/ /g, "-")}.ts`);
  expect(files.sort()).toEqual(expected.sort());
});

test("no name or alias is given twice", () => {
  const names = commands.flatMap((entry) => [entry.name, ...(entry.aliases ?? [])]);
  expect(new Set(names).size).toBe(names.length);
});

function loadedAs(name: string) {
  const found = loaded.find(({ entry }) => entry.name === name);
  if (found === undefined) throw new Error(`No command ${name}`);
  return found.spec;
}

test.each([
  ["5077", { hostname: "127.0.0.1", port: 5077 }],
  [":5078", { hostname: "127.0.0.1", port: 5078 }],
  ["0.0.0.0:1", { hostname: "0.0.0.0", port: 1 }],
  ["[::1]:0", { hostname: "::1", port: 0 }],
])("serve takes the address %s", async (address, parsed) => {
  expect(parseInput(await loadedAs("serve"), { root: "x", address })).toMatchObject({ address: parsed });
});

test.each(["", ":", "host", "host:", "::1:5000", ":65536"])("serve refuses the address %p", async (address) => {
  const spec = await loadedAs("serve");
  expect(() => parseInput(spec, { root: "x", address })).toThrow(expect.objectContaining({ code: "usage" }));
});

test("completion names the shell that it does not know", async () => {
  const spec = await loadedAs("completion");
  expect(() => parseInput(spec, { shell: "ksh" })).toThrow(
    expect.objectContaining({ message: expect.stringContaining('"ksh"') }),
  );
});

test.each(["login", "logout", "ping"])("%s takes the flags of registries, but no --concurrency", async (name) => {
  const spec = await loadedAs(name);
  expect(parseCommandLine(spec, ["x", "--plain-http"]).shared).toEqual({ plainHttp: true });
  expect(() => parseCommandLine(spec, ["x", "--concurrency", "2"])).toThrow(expect.objectContaining({ code: "usage" }));
});
