import { expect, test } from "bun:test";
import { readdir } from "node:fs/promises";
import { run } from "../../src/cli/app.ts";
import { commands } from "../../src/cli/commands.ts";
import { expectGolden } from "../support/golden.ts";
import { testWorld } from "../support/world.ts";

const folder = new URL("help/", import.meta.url);
const fileOf = (name: string) => `${name.replace(/ /g, "-")}.txt`;

test.each(commands.map((command) => command.name))("library %s --help", async (name) => {
  const world = testWorld();
  expect(await run([...name.split(" "), "--help"], world)).toBe(0);
  await expectGolden(new URL(fileOf(name), folder), world.stdout());
});

test("library --help", async () => {
  const world = testWorld();
  expect(await run(["--help"], world)).toBe(0);
  await expectGolden(new URL("library.txt", folder), world.stdout());
});

test("no help of a command that is gone", async () => {
  const expected = [...commands.map((command) => fileOf(command.name)), "library.txt"];
  expect((await readdir(folder)).sort()).toEqual(expected.sort());
});
