import { describe, expect, test } from "bun:test";
import { type ConfigParts, isGiven, makeConfig } from "../../src/image/config.ts";
import { parseConfig } from "../../src/oci/config.ts";
import { digestOf } from "../../src/oci/make.ts";

const created = "2001-02-03T04:05:06Z";
const [one, two] = [digestOf("one"), digestOf("two")];
const scratch: ConfigParts = {
  base: { platform: { os: "linux", architecture: "arm64", variant: "v8" } },
  layers: [],
  edits: {},
  created,
};

function baseOf(value: unknown, layers = 1): ConfigParts["base"] {
  return { config: parseConfig(Buffer.from(JSON.stringify(value)), "base"), layers };
}

const base = baseOf({
  "x.future": { kept: true },
  os: "linux",
  architecture: "amd64",
  config: {
    Cmd: ["sh"],
    Env: ["PATH=/bin", "A=1", "NOVALUE"],
    ExposedPorts: { "80/tcp": {} },
    Labels: { b: "base", a: "base" },
    OnBuild: null,
    WorkingDir: "/old",
    Volumes: { "/v": {} },
  },
  rootfs: { type: "layers", diff_ids: [one] },
  history: [{ created_by: "base" }],
});

function made(parts: Partial<ConfigParts>): { readonly text: string; readonly value: ReturnType<typeof parseConfig> } {
  const bytes = makeConfig({ ...scratch, ...parts });
  return { text: Buffer.from(bytes).toString(), value: parseConfig(bytes, "made") };
}

describe("makeConfig()", () => {
  test("from scratch has the platform, the date and nothing else", () => {
    expect(made({}).text).toBe(
      `{"created":"${created}","architecture":"arm64","os":"linux","variant":"v8","config":{},"rootfs":{"type":"layers","diff_ids":[]},"history":[]}`,
    );
  });

  test("writes every property in one order, those it does not know last", () => {
    const edits = { user: "u", labels: { z: "1", B: "2" }, expose: ["90/tcp", "100/tcp"], cmd: ["c"], workdir: "/w" };
    const value = JSON.parse(made({ base, edits }).text);
    expect(Object.keys(value)).toEqual(["created", "architecture", "os", "config", "rootfs", "history", "x.future"]);
    expect(Object.keys(value.config)).toEqual([
      "User",
      "ExposedPorts",
      "Env",
      "Cmd",
      "Volumes",
      "WorkingDir",
      "Labels",
      "OnBuild",
    ]);
    expect(Object.keys(value.config.ExposedPorts)).toEqual(["100/tcp", "80/tcp", "90/tcp"]);
    expect(Object.keys(value.config.Labels)).toEqual(["B", "a", "b", "z"]);
    expect(value["x.future"]).toEqual({ kept: true });
  });

  test("an entrypoint takes the base's command away unless one is given", () => {
    expect(made({ base, edits: { entrypoint: ["/run"] } }).value.config).toMatchObject({ Entrypoint: ["/run"] });
    expect(made({ base, edits: { entrypoint: ["/run"] } }).value.config?.Cmd).toBeUndefined();
    expect(made({ base, edits: { entrypoint: ["/run"], cmd: ["-x"] } }).value.config?.Cmd).toEqual(["-x"]);
    expect(made({ base, edits: { cmd: [] } }).value.config?.Cmd).toEqual([]);
    expect(made({ base, edits: { user: "u" } }).value.config?.Cmd).toEqual(["sh"]);
  });

  test("a variable replaces the base's in its place, the last one wins", () => {
    const env = [
      ["A", "2=3"],
      ["NEW", ""],
      ["NOVALUE", "x"],
      ["NEW", "y"],
    ] as const;
    expect(made({ base, edits: { env } }).value.config?.Env).toEqual(["PATH=/bin", "A=2=3", "NOVALUE=x", "NEW=y"]);
  });

  test("labels are the base's with the new ones over them, also one called __proto__", () => {
    const labels = Object.fromEntries([
      ["b", "new"],
      ["__proto__", "p"],
    ]);
    expect(made({ base, edits: { labels } }).text).toContain('"Labels":{"__proto__":"p","a":"base","b":"new"}');
  });

  test("adds a layer and an entry of history for each, and one for all settings", () => {
    const { value } = made({
      base,
      layers: [{ diffId: two, createdBy: "layer two" }],
      edits: { user: "u", expose: [], env: [["A", "secret"]] },
    });
    expect(value.rootfs.diff_ids).toEqual([one, two]);
    expect(value.history as unknown).toEqual([
      { created_by: "base" },
      { created, created_by: "layer two" },
      { created, created_by: "library append user, env", empty_layer: true },
    ]);
  });

  test("a base without history gets an entry for each of its layers", () => {
    const bare = baseOf({ os: "linux", architecture: "amd64", rootfs: { type: "layers", diff_ids: [one, two] } }, 2);
    const { value } = made({ base: bare, layers: [{ diffId: two, createdBy: "new" }] });
    expect(value.history?.length).toBe(3);
    expect(value.config).toEqual({});
  });

  test("refuses a base whose configuration and manifest disagree", () => {
    const wrong = baseOf({ os: "linux", architecture: "amd64", rootfs: { type: "layers", diff_ids: [one] } }, 2);
    expect(() => made({ base: wrong })).toThrow(expect.objectContaining({ code: "malformed-content" }));
  });
});

test.each<[string, unknown, boolean]>([
  ["entrypoint", [], true],
  ["cmd", undefined, false],
  ["env", [], false],
  ["labels", {}, false],
  ["labels", { a: "" }, true],
  ["user", "u", true],
])("isGiven(%s, %p) is %p", (name, value, expected) => {
  expect(isGiven(name, value)).toBe(expected);
});
