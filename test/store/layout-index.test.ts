import { describe, expect, test } from "bun:test";
import type { Descriptor } from "../../src/oci/descriptor.ts";
import {
  changeIndex,
  digestNamed,
  layoutIndexLimits,
  listEntries,
  parseLayoutIndex,
  serializeLayoutIndex,
} from "../../src/store/layout-index.ts";

const digest = (digit: string) => `sha256:${digit.repeat(64)}` as const;
const type = "application/vnd.oci.image.manifest.v1+json";
const refName = "org.opencontainers.image.ref.name";
const imageName = "io.containerd.image.name";
const subjectKey = "io.containerd.manifest.subject";

function entry(digit: string, annotations?: Record<string, string>): Descriptor {
  return { mediaType: type, digest: digest(digit), size: 2, ...(annotations ? { annotations } : {}) };
}

function index(...manifests: readonly object[]) {
  return parse(JSON.stringify({ schemaVersion: 2, manifests }));
}

function parse(text: string) {
  return parseLayoutIndex(new TextEncoder().encode(text), "index.json");
}

function written(value: ReturnType<typeof parse>) {
  return JSON.parse(new TextDecoder().decode(serializeLayoutIndex(value, "index.json")));
}

describe("parseLayoutIndex()", () => {
  const good = JSON.stringify(entry("a"));
  test.each([
    ["an empty list", '{"schemaVersion":2,"manifests":[]}'],
    ["null for a list", '{"schemaVersion":2,"manifests":null}'],
    ["unknown media types of entries", '{"schemaVersion":2,"manifests":[{"mediaType":"a/b","digest":"x:y","size":0}]}'],
    ["unknown properties", `{"schemaVersion":2,"manifests":[${good}],"later":{"x":[1]},"annotations":{"a":"b"}}`],
  ])("reads %s", (_, text) => {
    expect(() => parse(text)).not.toThrow();
  });

  test.each([
    ["a list", "[]", "malformed-content"],
    ["no manifests", '{"schemaVersion":2}', "malformed-content"],
    ["manifests that are no list", '{"schemaVersion":2,"manifests":{}}', "malformed-content"],
    ["schema 1", '{"schemaVersion":1,"manifests":[]}', "malformed-content"],
    ["another media type", '{"schemaVersion":2,"mediaType":"a/b","manifests":[]}', "malformed-content"],
    ["layers beside manifests", '{"schemaVersion":2,"manifests":[],"layers":[]}', "malformed-content"],
    ["a duplicate key", '{"schemaVersion":2,"manifests":[],"manifests":[]}', "malformed-json"],
    ["a key of another case", '{"schemaVersion":2,"manifests":[],"Manifests":[]}', "malformed-content"],
    [
      "a digest of another case",
      `{"schemaVersion":2,"manifests":[{"Digest":"x",${good.slice(1)}]}`,
      "malformed-content",
    ],
    [
      "a traversing digest",
      `{"schemaVersion":2,"manifests":[${good.replace(/sha256:a+/, "sha256:../../x")}]}`,
      "malformed-content",
    ],
    [
      "a size in quotes",
      `{"schemaVersion":2,"manifests":[${good.replace('"size":2', '"size":"2"')}]}`,
      "malformed-content",
    ],
    [
      "a negative size",
      `{"schemaVersion":2,"manifests":[${good.replace('"size":2', '"size":-2')}]}`,
      "malformed-content",
    ],
    [
      "an annotation that is a number",
      `{"schemaVersion":2,"manifests":[${good.replace("}", ',"annotations":{"a":1}}')}]}`,
      "malformed-content",
    ],
    [
      "too many entries",
      `{"schemaVersion":2,"manifests":[${"0,".repeat(layoutIndexLimits.entries)}0]}`,
      "limit-exceeded",
    ],
    ["too many bytes", " ".repeat(layoutIndexLimits.bytes + 1), "limit-exceeded"],
  ])("refuses %s", (_, text, code) => {
    expect(() => parse(text)).toThrow(expect.objectContaining({ code }));
  });

  test("keeps names that JavaScript gives a meaning", () => {
    const text = `{"schemaVersion":2,"manifests":[${JSON.stringify(entry("a")).replace("}", ',"annotations":{"__proto__":"x","constructor":"y"}}')}],"__proto__":{"z":1}}`;
    const kept = new TextDecoder().decode(serializeLayoutIndex(parse(text), "index.json"));
    expect(kept).toContain('"annotations":{"__proto__":"x","constructor":"y"}');
    expect(kept).toContain('"__proto__":{"z":1}');
    expect(({} as Record<string, unknown>).z).toBeUndefined();
  });
});

describe("digestNamed()", () => {
  const several = index(
    entry("a", { [refName]: "1.0" }),
    entry("b", { [refName]: "example.org/app:1.0" }),
    entry("c", { [refName]: "example.org:5000/app:2.0" }),
    entry("d", { [imageName]: "example.org/db:3", [refName]: "3" }),
    entry("e", { [refName]: "example.org:5000/app" }),
    entry("f"),
  );

  test.each([
    ["a whole name before a tag at the end of another", "1.0", "a"],
    ["a whole name with a host", "example.org/app:1.0", "b"],
    ["the tag at the end", "2.0", "c"],
    ["containerd's image name", "example.org/db:3", "d"],
    ["a short name beside an image name", "3", "d"],
  ])("takes %s", (_, name, digit) => {
    expect(digestNamed(several, name, "x")).toBe(digest(digit));
  });

  test.each(["app", "5000/app", "0", "", "latest"])("finds nothing for %p", (name) => {
    expect(digestNamed(several, name, "x")).toBeUndefined();
  });

  test("refuses a name of two digests, and takes one that is listed twice", () => {
    const twice = index(entry("a", { [refName]: "1" }), entry("b", { [refName]: "1" }));
    expect(() => digestNamed(twice, "1", "x")).toThrow(expect.objectContaining({ code: "ambiguous-reference" }));
    const same = index(entry("a", { [refName]: "1" }), entry("a", { [refName]: "1" }));
    expect(digestNamed(same, "1", "x")).toBe(digest("a"));
  });

  test("refuses a tag at the end of two names", () => {
    const ends = index(entry("a", { [refName]: "a/b:1" }), entry("b", { [refName]: "a/c:1" }));
    expect(() => digestNamed(ends, "1", "x")).toThrow(expect.objectContaining({ code: "ambiguous-reference" }));
  });
});

describe("listEntries()", () => {
  test("gives names that lead back to their entries", () => {
    const several = index(
      entry("a", { [refName]: "1.0" }),
      entry("b", { [refName]: "example.org/app:1.0" }),
      entry("c", { [refName]: "example.org/app:2.0" }),
      entry("d", { [refName]: "x/a:3" }),
      entry("e", { [refName]: "x/b:3" }),
      entry("f", { [refName]: "evil\u001b[31m" }),
    );
    const entries = listEntries(several);
    expect(entries.map(({ tag }) => tag)).toEqual(["1.0", "example.org/app:1.0", "2.0", "x/a:3", "x/b:3", undefined]);
    for (const { tag, descriptor } of entries) {
      if (tag !== undefined) expect(digestNamed(several, tag, "x")).toBe(descriptor?.digest);
    }
  });
});

describe("changeIndex()", () => {
  test("adds, moves in place, and keeps everything else as it was", () => {
    const before = parse(
      JSON.stringify({
        schemaVersion: 2,
        later: [1],
        manifests: [
          { ...entry("a", { [refName]: "1", other: "x" }), unknown: { y: null } },
          entry("b", { [refName]: "2" }),
        ],
      }),
    );
    const after = changeIndex(before, [
      { tag: "1", descriptor: entry("a") },
      { tag: "2", descriptor: entry("c") },
      { tag: "3", descriptor: entry("d") },
    ]);
    expect(written(after)).toEqual({
      schemaVersion: 2,
      later: [1],
      manifests: [
        { ...entry("a", { [refName]: "1", other: "x" }), unknown: { y: null } },
        entry("c", { [refName]: "2" }),
        entry("d", { [refName]: "3" }),
      ],
    });
  });

  test("gives a name to the entry of its digest that has none", () => {
    const before = index({ ...entry("a", { other: "x" }), unknown: 1 });
    const after = changeIndex(before, [{ tag: "1", descriptor: entry("a") }]);
    expect(written(after).manifests).toEqual([{ ...entry("a", { other: "x", [refName]: "1" }), unknown: 1 }]);
  });

  test("takes all entries of a moved name with it", () => {
    const before = index(entry("a", { [refName]: "1" }), entry("b"), entry("c", { [refName]: "1" }));
    const after = changeIndex(before, [{ tag: "1", descriptor: entry("d") }]);
    expect(written(after).manifests).toEqual([entry("d", { [refName]: "1" }), entry("b")]);
  });

  test("adds a root without a name once, and not where it has one", () => {
    const before = index(entry("a", { [refName]: "1" }));
    expect(changeIndex(before, [{ descriptor: entry("a") }])).toBe(before);
    const once = changeIndex(before, [{ descriptor: entry("b") }]);
    expect(changeIndex(once, [{ descriptor: entry("b") }])).toBe(once);
    expect(written(once).manifests).toHaveLength(2);
  });

  test("adds a referrer's entry beside a name of it, once", () => {
    const referrer = entry("a", { [subjectKey]: digest("f") });
    const before = index(entry("a", { [refName]: "1" }));
    const once = changeIndex(before, [{ descriptor: referrer }]);
    expect(written(once).manifests).toEqual([entry("a", { [refName]: "1" }), referrer]);
    expect(changeIndex(once, [{ descriptor: referrer }])).toBe(once);
  });
});
