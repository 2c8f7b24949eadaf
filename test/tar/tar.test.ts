import { describe, expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { prefixedMembers, prefixFolders } from "../../src/image/prefix.ts";
import { type TarEntry, tarHeader } from "../../src/tar/header.ts";
import { type TarMember, tarBytes } from "../../src/tar/members.ts";
import { checkedTar, type TarHead, tarParts } from "../../src/tar/parts.ts";
import { chunks, collected } from "../support/bytes.ts";

const plain: TarEntry = { path: "a", type: "file", mode: 0o644, uid: 0, gid: 0, size: 0, mtime: 0 };

function member(entry: Partial<TarEntry>, content = ""): TarMember {
  const bytes = Buffer.from(content);
  return { entry: { ...plain, ...entry, size: bytes.byteLength }, content: () => chunks(bytes, 100) };
}

async function* listed(...members: readonly TarMember[]): AsyncGenerator<TarMember> {
  yield* members;
}

async function written(...members: readonly TarMember[]): Promise<Uint8Array> {
  return collected(tarBytes(listed(...members)));
}

async function read(tar: Uint8Array, size = 65_536): Promise<{ entry: TarHead; content: string }[]> {
  const found: { entry: TarHead; content: string }[] = [];
  for await (const part of tarParts(chunks(tar, size), "layer.tar")) {
    if ("entry" in part) found.push({ entry: part.entry, content: "" });
    else {
      const last = found.at(-1);
      if (last) last.content += Buffer.from(part.bytes).toString();
    }
  }
  return found;
}

const long = `${"folder/".repeat(30)}file`;

describe("tarHeader()", () => {
  test.each<[string, Partial<TarEntry>]>([
    ["a plain file", {}],
    ["mode 0", { mode: 0 }],
    ["setuid and sticky", { mode: 0o5755 }],
    ["a name of 100 bytes", { path: "n".repeat(100) }],
    ["a name of 101 bytes", { path: "n".repeat(101) }],
    ["a long path", { path: long }],
    ["a name beyond ASCII", { path: "größe/文件" }],
    ["an owner beyond 7 octal digits", { uid: 3_000_000, gid: 4_294_967_294 }],
    ["a time beyond 2038", { mtime: 4_102_444_800 }],
    ["a time beyond 11 octal digits", { mtime: 8 ** 11 }],
    ["a time before 1970", { mtime: -5 }],
    ["a link with a long target", { type: "symlink", target: `../${long}` }],
    ["a hard link", { type: "link", target: "b" }],
    ["a device", { type: "character-device", deviceMajor: 1, deviceMinor: 3 }],
    ["names of owners", { userName: "root", groupName: "gruppe-ä" }],
    [
      "an attribute that is no text",
      { records: { "SCHILY.xattr.security.capability": Uint8Array.of(1, 0, 255, 10, 61) } },
    ],
  ])("is read back as written: %s", async (_, entry) => {
    const [found] = await read(await written({ entry: { ...plain, ...entry } }), 333);
    const expected = {
      ...plain,
      target: "",
      userName: "",
      groupName: "",
      deviceMajor: 0,
      deviceMinor: 0,
      records: {},
      ...entry,
    };
    expect(found?.entry).toEqual(expected);
  });

  test("is read back as written for any path, size and time", async () => {
    const path = fc
      .string({ unit: "grapheme", minLength: 1, maxLength: 300 })
      .filter((text) => !text.includes("\0") && !text.endsWith("/"));
    const property = fc.asyncProperty(path, fc.string({ maxLength: 2000 }), fc.nat(), async (path, content, mtime) => {
      const bytes = Buffer.from(content).toString();
      const [found] = await read(await written(member({ path, mtime }, content)), 97);
      expect({ path: found?.entry.path, mtime: found?.entry.mtime, content: found?.content }).toEqual({
        path,
        mtime,
        content: bytes,
      });
    });
    await fc.assert(property, { seed: 3, numRuns: 100 });
  });

  test("writes what tar(1) reads", async () => {
    const tar = await written(
      member({ path: "größe/", type: "directory", mode: 0o755 }),
      member({ path: long, mode: 0o600, mtime: 86_400 }, "content"),
      { entry: { ...plain, path: "link", type: "symlink", target: "größe" } },
    );
    const listing = execFileSync("tar", ["--utc", "--numeric-owner", "--quoting-style=literal", "-tvf", "-"], {
      input: tar,
      env: { ...process.env, LC_ALL: "C.UTF-8" },
    });
    expect(listing.toString()).toContain("drwxr-xr-x 0/0               0 1970-01-01 00:00 größe/");
    expect(listing.toString()).toContain(`-rw------- 0/0               7 1970-01-02 00:00 ${long}`);
    expect(listing.toString()).toContain("link -> größe");
  });

  test("refuses a negative owner", () => {
    expect(() => tarHeader({ ...plain, uid: -1 })).toThrow(expect.objectContaining({ code: "invalid-input" }));
  });
});

describe("tarBytes()", () => {
  test.each(["short", "much longer than announced"])("fails where a content has another size: %s", async (content) => {
    const wrong = { entry: { ...plain, size: 10 }, content: () => chunks(Buffer.from(content)) };
    await expect(collected(tarBytes(listed(wrong)))).rejects.toMatchObject({ code: "io-error" });
  });

  test("prefixFolders() gives each folder above, outermost first", async () => {
    const paths: string[] = [];
    for await (const { entry } of prefixFolders("opt/app", 7)) paths.push(`${entry.path} ${entry.mode} ${entry.mtime}`);
    expect(paths).toEqual(["opt/ 493 7", "opt/app/ 493 7"]);
  });
});

describe("tarParts()", () => {
  test("reads what tar(1) writes in each of its formats", async () => {
    for (const format of ["v7", "ustar", "gnu", "pax"]) {
      const name = format === "v7" ? "short" : "n".repeat(99);
      const script = 'set -e; cd "$(mktemp -d)"; mkdir d; printf content > "d/$1"; tar --format="$2" -cf - d; rm -r d';
      const tar = execFileSync("sh", ["-c", script, "sh", name, format]);
      const found = await read(tar, 512);
      expect([format, ...found.map(({ entry, content }) => `${entry.type} ${entry.path} ${content}`)]).toEqual([
        format,
        "directory d/ ",
        `file d/${name} content`,
      ]);
    }
  });

  test("refuses a tar that is cut anywhere but between entries", async () => {
    const tar = await written(member({}, "x".repeat(1000)), member({ path: "b" }));
    for (const length of [1, 511, 513, 1000, 1600, 2049]) {
      await expect(read(tar.subarray(0, length))).rejects.toMatchObject({ code: "malformed-archive" });
    }
    expect((await read(tar.subarray(0, 2560))).map(({ entry }) => entry.path)).toEqual(["a", "b"]);
  });

  test.each<[string, (tar: Uint8Array) => Uint8Array]>([
    ["nothing", () => new Uint8Array(0)],
    ["text", () => Buffer.from("not a tar ".repeat(100))],
    ["a wrong checksum", (tar) => tar.with(0, 98)],
    ["a size that is no number", (tar) => resummed(tar.with(124, 0x39))],
    ["a negative size", (tar) => resummed(tar.with(124, 0xff))],
    ["a name that is not UTF-8", (tar) => resummed(tar.with(0, 0xff))],
  ])("refuses %s", async (_, change) => {
    await expect(read(change(await written(member({}, "content"))))).rejects.toMatchObject({
      code: "malformed-archive",
    });
  });

  test.each([" path=a\n", "9999 path=a\n", "9 path=a", "0 path=a\n", "8 nothing\n"])(
    "refuses a broken PAX header: %j",
    async (text) => {
      const header = { ...plain, path: "p", size: text.length };
      const pax = resummed(new Uint8Array(tarHeader(header)).with(156, 0x78));
      const body = new Uint8Array(512);
      body.set(Buffer.from(text));
      const tar = Buffer.concat([pax, body, await written(member({}))]);
      await expect(read(tar)).rejects.toMatchObject({ code: "malformed-archive" });
    },
  );
});

describe("checkedTar()", () => {
  test.each([100, 512, 4096])("passes every byte on, in chunks of %d", async (size) => {
    const tar = Buffer.concat([await written(member({}, "x".repeat(5000))), Buffer.from("behind the end")]);
    expect(Buffer.compare(await collected(checkedTar(chunks(tar, size), "layer")), tar)).toBe(0);
  });
});

describe("prefixedMembers()", () => {
  async function moved(...members: readonly TarMember[]): Promise<string[]> {
    const tar = chunks(await written(...members), 200);
    const found = await read(await collected(tarBytes(prefixedMembers(tar, { prefix: "opt/x", name: "layer" }))));
    return found.map(
      ({ entry, content }) =>
        `${entry.path}${entry.target ? ` > ${entry.target}` : ""}${content ? `: ${content}` : ""}`,
    );
  }

  test("moves paths and hard links, leaves symbolic links and contents", async () => {
    const result = await moved(
      { entry: { ...plain, path: "./", type: "directory" } },
      { entry: { ...plain, path: "./bin/", type: "directory" } },
      member({ path: "./bin/run" }, "run"),
      { entry: { ...plain, path: "/hard", type: "link", target: "./bin/run" } },
      { entry: { ...plain, path: "soft", type: "symlink", target: "../bin/run" } },
    );
    expect(result).toEqual([
      "opt/x/bin/",
      "opt/x/bin/run: run",
      "opt/x/hard > opt/x/bin/run",
      "opt/x/soft > ../bin/run",
    ]);
  });

  test("keeps owner, mode, time and attributes", async () => {
    const records = { "SCHILY.xattr.user.a": Uint8Array.of(0, 255) };
    const entry = { ...plain, mode: 0, uid: 12, gid: 34, mtime: 56, userName: "u", groupName: "g", records };
    const tar = chunks(await written({ entry }));
    const [found] = await read(await collected(tarBytes(prefixedMembers(tar, { prefix: "p", name: "layer" }))));
    expect(found?.entry).toMatchObject({ ...entry, path: "p/a" });
  });

  test.each<[string, TarEntry]>([
    ["a path that climbs", { ...plain, path: "a/../../b" }],
    ["a hard link that climbs", { ...plain, type: "link", target: "../b" }],
    ["a file without a name", { ...plain, path: "." }],
    ["a sparse file", { ...plain, records: { "GNU.sparse.major": Buffer.from("1") } }],
  ])("refuses %s", async (_, entry) => {
    await expect(moved({ entry })).rejects.toMatchObject({ code: "malformed-archive" });
  });
});

/** The tar with the checksum of its first header corrected. */
function resummed(tar: Uint8Array): Uint8Array {
  const changed = new Uint8Array(tar);
  changed.fill(0x20, 148, 156);
  const sum = changed.subarray(0, 512).reduce((total, byte) => total + byte, 0);
  changed.set(Buffer.from(`${sum.toString(8).padStart(6, "0")}\0 `), 148);
  return changed;
}
