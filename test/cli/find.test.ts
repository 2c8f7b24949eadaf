import { describe, expect, test } from "bun:test";
import { findCommand } from "../../src/cli/find.ts";
import { thrownBy } from "../support/thrown.ts";

const names = [
  "copy",
  "tags",
  "tag",
  "delete",
  "push image",
  "blob get",
  "blob put",
  "manifest get",
  "version",
  "inspect",
];
const commands = names.map((name) => ({
  name,
  aliases: name === "copy" ? ["cp"] : name === "blob get" ? ["blob cat"] : [],
  load: () => Promise.reject(new Error("not loaded to be found")),
}));

describe("findCommand() finds", () => {
  test.each<[string[], string, string[]]>([
    [["copy", "a", "b"], "copy", ["a", "b"]],
    [["cp", "a"], "copy", ["a"]],
    [["push", "image"], "push image", []],
    [["blob", "get", "x", "--json"], "blob get", ["x", "--json"]],
    [["blob", "cat", "x"], "blob get", ["x"]],
    [["--json", "-q", "copy", "a"], "copy", ["--json", "-q", "a"]],
    [["--help", "copy"], "copy", ["--help"]],
    [["--version"], "version", []],
    [["tag", "list"], "tag", ["list"]],
  ])("%j", (argv, name, args) => {
    expect(findCommand(argv, commands)).toMatchObject({ kind: "command", entry: { name }, args });
  });

  test("all commands, those of a group, or nothing", () => {
    expect(findCommand(["--help"], commands)).toEqual({ kind: "overview", group: undefined });
    expect(findCommand(["-h"], commands)).toEqual({ kind: "overview", group: undefined });
    expect(findCommand(["blob", "--help"], commands)).toEqual({ kind: "overview", group: "blob" });
    expect(findCommand(["--help", "blob"], commands)).toEqual({ kind: "overview", group: "blob" });
    expect(findCommand([], commands)).toEqual({ kind: "nothing" });
    expect(findCommand(["--json"], commands)).toEqual({ kind: "nothing" });
  });
});

describe("findCommand() suggests for an unknown command", () => {
  test.each<[string, string[], string]>([
    ["the nearest", ["cpoy"], "library copy"],
    ["in whatever case", ["COPY"], "library copy"],
    ["the one that it begins", ["insp"], "library inspect"],
    ["the words the right way round", ["image", "push"], "library push image"],
    ["the nearest second word", ["blob", "gte"], "library blob get"],
    ["the second words of a group", ["blob"], "library blob put"],
    ["our name for another tool's", ["list-tags"], "library tags"],
    ["our name for another tool's two words", ["manifest", "fetch"], "library manifest get"],
  ])("%s", (_, argv, proposal) => {
    const error = thrownBy(() => findCommand(argv, commands));
    expect(error).toMatchObject({ code: "usage", hint: expect.stringContaining(`"${proposal}"`) });
  });

  test("the way to all of them where none is near", () => {
    expect(thrownBy(() => findCommand(["xyzzy"], commands))).toMatchObject({
      hint: 'Run "library --help" for all commands',
    });
  });

  test("and refuses other flags before a command", () => {
    expect(thrownBy(() => findCommand(["--tag", "x", "copy"], commands))).toMatchObject({ code: "usage" });
  });
});
