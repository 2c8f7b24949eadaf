import { describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { commands } from "../../../src/cli/commands.ts";
import { bashCompletion } from "../../../src/cli/completion/bash.ts";
import { fishCompletion } from "../../../src/cli/completion/fish.ts";
import { completionGrammar } from "../../../src/cli/completion/grammar.ts";
import { zshCompletion } from "../../../src/cli/completion/zsh.ts";
import { echoCommand, pushImageCommand } from "../../support/commands.ts";
import { withFolder } from "../../support/folder.ts";

const grammar = completionGrammar([echoCommand(), pushImageCommand]);
const everything = completionGrammar(await Promise.all(commands.map((entry) => entry.load())));
const files = { "one.tar": "", "two words.tar": "", "folder/inside": "" };

/** What bash offers when the cursor is behind the last of `words`. */
function offered(words: readonly string[], cwd: string): readonly string[] {
  const script = [
    bashCompletion(grammar),
    `COMP_WORDS=(${words.map((word) => `'${word}'`).join(" ")})`,
    `COMP_CWORD=${words.length - 1}`,
    "_library",
    `for reply in "\${COMPREPLY[@]}"; do printf "%s\\n" "$reply"; done`,
  ].join("\n");
  const { status, stdout, stderr } = spawnSync("bash", ["--norc", "-c", script], { cwd, encoding: "utf8" });
  expect({ status, stderr: stderr.replace(/.*compopt: not currently executing.*\n/g, "") }).toEqual({
    status: 0,
    stderr: "",
  });
  return stdout.split("\n").filter((line) => line !== "");
}

describe("bashCompletion()", () => {
  test.each<[string, string[], string[]]>([
    ["first words", ["library", ""], ["echo", "say", "push"]],
    ["first words that begin so", ["library", "e"], ["echo"]],
    ["first words behind a common flag", ["library", "--json", "s"], ["say"]],
    ["second words", ["library", "push", ""], ["image"]],
    ["flags", ["library", "echo", "--d"], ["--dry-run", "--digest-file", "--debug"]],
    ["flags of an alias", ["library", "say", "--pla"], ["--platform", "--plain-http"]],
    ["flags of two words", ["library", "push", "image", "--l"], ["--layout"]],
    ["the values that a flag lists", ["library", "echo", "--mode", ""], ["fast", "safe"]],
    ["the values behind an equals sign", ["library", "echo", "--mode", "=", "s"], ["safe"]],
    ["the values right behind an equals sign", ["library", "echo", "--mode", "="], ["fast", "safe"]],
    ["nothing for a value of its own", ["library", "echo", "--tag", ""], []],
    ["files for a flag", ["library", "echo", "-o", "o"], ["one.tar"]],
    ["files with blanks as one", ["library", "echo", "--output", "t"], ["two words.tar"]],
    ["folders for a flag", ["library", "push", "image", "--layout", ""], ["folder"]],
    ["files for an argument", ["library", "echo", ""], ["folder", "one.tar", "two words.tar"]],
    ["files behind oci:", ["library", "echo", "oci", ":", "fo"], ["folder"]],
    ["nothing for an unknown command", ["library", "nope", ""], []],
  ])("offers %s", async (_, words, expected) => {
    await withFolder(files, async (cwd) => {
      expect([...offered(words, cwd)].sort()).toEqual([...expected].sort());
    });
  });

  test("is accepted by bash for every command", () => {
    const { status, stderr } = spawnSync("bash", ["-n"], { input: bashCompletion(everything), encoding: "utf8" });
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  });
});

describe.each([
  ["zsh", zshCompletion(everything), ["-n"]],
  ["fish", fishCompletion(everything), ["--no-execute"]],
] as const)("completion for %s", (shell, script, argv) => {
  test("names every command and every flag of its own", () => {
    for (const { names, flags } of everything.commands) {
      for (const word of names.flatMap((name) => name.split(" "))) expect(script).toContain(word);
      for (const { long } of flags) expect(script).toContain(shell === "fish" ? `-l ${long.slice(2)}` : long);
    }
  });

  const missing = spawnSync(shell, ["-c", "true"]).status !== 0;
  if (missing) console.log(`skip: ${shell} is not installed, so that its completion script is not parsed by it`);
  test.skipIf(missing)("is accepted by the shell", () => {
    const { status, stderr } = spawnSync(shell, [...argv, "/dev/stdin"], { input: script, encoding: "utf8" });
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  });
});
