import { describe, expect, test } from "bun:test";
import { editYaml } from "../../src/manifest/edit.ts";
import type { Path } from "../../src/manifest/path.ts";
import { invalidInput } from "../support/invalid-input.ts";
import { minimalManifest } from "../support/manifest-text.ts";

const edit = (text: string, path: Path, value: unknown) => editYaml(text, [{ path, value }], "m.yaml");

describe("editYaml() changes a scalar and no other byte", () => {
  test.each<[path: Path, value: unknown, before: string, after: string]>([
    [["registry", "host"], "localhost:5000", "registry.example.org\n  project", "localhost:5000\n  project"],
    [["build", "tags", 0], "1.11", '"1.10"\n    - latest', '"1.11"\n    - latest'],
    [["build", "tags", 1], "1.0", "- latest # moving", '- "1.0" # moving'],
    [["metadata", "discovery", "description"], "It's new", "'Shows images of the sky'", "'It''s new'"],
    [["metadata", "discovery", "title"], "a: b", "title: Viewer", 'title: "a: b"'],
    [["metadata", "discovery", "title"], "- x", "title: Viewer", 'title: "- x"'],
    [["metadata", "discovery", "kind", 0], "a, b", "[headless]", '["a, b"]'],
    [["metadata", "discovery", "title"], "true", "title: Viewer", 'title: "true"'],
    [["metadata", "discovery", "title"], "x".repeat(200), "title: Viewer", `title: ${"x".repeat(200)}`],
    [["metadata", "discovery", "title"], null, "title: Viewer", "title: null"],
  ])("%p to %p", (path, value, before, after) => {
    expect(edit(minimalManifest, path, value)).toBe(minimalManifest.replace(before, () => after));
  });
});

test("editYaml() adds keys and entries behind what is there and keeps comments", () => {
  const text = editYaml(
    minimalManifest,
    [
      { path: ["metadata", "discovery", "deprecated"], value: true },
      { path: ["build", "tags", 2], value: "2.0" },
      { path: ["metadata", "lifecycle", "eol"], value: "2027-12-31" },
    ],
    "m.yaml",
  );
  expect(text).toBe(
    minimalManifest
      .replace("- latest # moving\n", '- latest # moving\n    - "2.0"\n')
      .replace("kind: [headless]\n", "kind: [headless]\n    deprecated: true\n  lifecycle:\n    eol: 2027-12-31\n"),
  );
});

test("editYaml() removes a key with undefined", () => {
  expect(edit("a: 1 # one\nb: 2\n", ["a"], undefined)).toBe("b: 2\n");
});

test("editYaml() keeps lists that stand as far left as their key", () => {
  expect(edit("a:\n- 1\n- 2\n", ["b"], 3)).toBe("a:\n- 1\n- 2\nb: 3\n");
});

test("editYaml() replaces a list and keeps its style and its comments", () => {
  expect(edit("# before\na: [1, 2] # behind\n# after\nb: 1\n", ["a"], ["x"])).toBe(
    "# before\na: [x] # behind\n# after\nb: 1\n",
  );
});

test("editYaml() replaces a block scalar", () => {
  expect(edit("a: |\n  x\n  y\nb: 1\n", ["a"], "z")).toBe("a: z\nb: 1\n");
});

test("editYaml() refuses to change what an alias shares", async () => {
  const { code } = await invalidInput(() => edit("a: &x 1\nb: *x\n", ["a"], 2));
  expect(code).toBe("invalid-input");
});

test("editYaml() replaces an alias by a value of its own", () => {
  expect(edit("a: &x 1\nb: *x\n", ["b"], 2)).toBe("a: &x 1\nb: 2\n");
});

test.each<[Path]>([[["a", "b"]], [["list", 5]], [["a", 0]]])(
  "editYaml() refuses the path %p that does not fit",
  async (path) => {
    expect((await invalidInput(() => edit("a: 1\nlist: []\n", path, 1))).code).toBe("invalid-input");
  },
);

test("editYaml() refuses a text that is no YAML", async () => {
  expect((await invalidInput(() => edit("a: 'x", ["a"], 1))).code).toBe("invalid-manifest-file");
});
