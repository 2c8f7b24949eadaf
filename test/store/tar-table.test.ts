import { describe, expect, test } from "bun:test";
import { open, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { readTarTable, tarLimits } from "../../src/store/tar-table.ts";
import { withFolder } from "../support/folder.ts";
import { testIo } from "../support/io.ts";
import { gnuLongName, makeTar, pax, paxRecord, type TarOptions, type TarPart } from "../support/tar.ts";

async function table(parts: readonly TarPart[] | Uint8Array, options?: TarOptions) {
  const bytes = parts instanceof Uint8Array ? parts : makeTar(parts, options);
  return withFolder({}, async (folder) => {
    const path = join(folder, "x.tar");
    await writeFile(path, bytes);
    const handle = await open(path, "r");
    try {
      return await readTarTable(handle, bytes.byteLength, "x.tar", testIo());
    } finally {
      await handle.close();
    }
  });
}

const file = (name: string, more: Partial<TarPart> = {}): TarPart => ({ name, content: "hello", ...more });
const long = `blobs/sha512/${"a".repeat(128)}`;
const negative = new Uint8Array(12).fill(0xff);
const base256 = (size: number): Uint8Array => {
  const field = new Uint8Array(12);
  new DataView(field.buffer).setUint32(8, size);
  field[0] = 0x80;
  return field;
};

describe("readTarTable() accepts", () => {
  test.each<[string, readonly TarPart[], string]>([
    ["a plain file", [file("index.json")], "index.json"],
    ["a file below ./", [file("./index.json")], "index.json"],
    [
      "folders, also the root and one twice",
      [file("./"), file("blobs/"), file("./blobs/"), file("a")].map((part) =>
        part.name.endsWith("/") ? { name: part.name } : part,
      ),
      "a",
    ],
    ["a GNU header", [file("a", { format: "gnu" })], "a"],
    ["the old type flag of files", [file("a", { type: "\0" })], "a"],
    ["a ustar prefix", [file("b".repeat(90), { prefix: "blobs/sha256" })], `blobs/sha256/${"b".repeat(90)}`],
    ["a GNU long name", [gnuLongName(long), file(long.slice(0, 100), { format: "gnu" })], long],
    ["a pax path that the header cannot hold", [pax({ path: long }), file(long.slice(0, 100))], long],
    ["a pax path beyond ASCII", [pax({ path: "bücher" }), file("b?cher")], "bücher"],
    ["pax records of other things", [pax({ mtime: "1.5", "SCHILY.xattr.user.x": "y" }), file("a")], "a"],
    ["a pax path that says what the header says", [pax({ path: "a", size: "5" }), file("a")], "a"],
    ["a global comment", [pax({ comment: "x" }, "g"), file("a")], "a"],
    ["a size in base-256", [file("a", { sizeField: base256(5) })], "a"],
    ["a size with spaces", [file("a", { sizeField: "          5 " })], "a"],
  ])("%s", async (_, parts, path) => {
    const found = await table(parts);
    expect([...found.keys()]).toEqual([path]);
    expect(found.get(path)?.size).toBe(5);
  });

  test("zeros up to a full record", async () => {
    expect((await table([file("a")], { endBlocks: 20 })).size).toBe(1);
  });

  test("an empty archive", async () => {
    expect((await table([])).size).toBe(0);
  });

  test("many entries, with the right offsets", async () => {
    const parts = Array.from({ length: 3000 }, (_, at) => file(`f${at}`, { content: "x".repeat(at % 700) }));
    const bytes = makeTar(parts);
    const found = await table(bytes);
    expect(found.size).toBe(3000);
    for (const [at, part] of parts.entries()) {
      const entry = found.get(part.name);
      expect(entry?.size).toBe(at % 700);
      if (entry)
        expect(Buffer.from(bytes.subarray(entry.offset, entry.offset + entry.size)).toString()).toBe(
          String(part.content),
        );
    }
  });
});

describe("readTarTable() refuses with malformed-archive", () => {
  test.each<[string, readonly TarPart[] | Uint8Array, TarOptions?]>([
    ["a path upwards", [file("../../x")]],
    ["a path upwards in the middle", [file("a/../../b")]],
    ["an absolute path", [file("/abs")]],
    ["a drive letter", [file("C:\\x")]],
    ["a drive letter with a slash", [file("C:/x")]],
    ["a backslash", [file("a\\b")]],
    ["an empty part", [file("a//b")]],
    ["a part that is a dot", [file("a/./b")]],
    ["a control character", [file("a\nb")]],
    ["a NUL in a name", [file("a\0b")]],
    ["a NUL in a pax path", [pax({ path: `${"x".repeat(120)}\0` }), file("x")]],
    ["a name that is not UTF-8", Buffer.from(makeTar([file("aXb")])).fill(0xff, 1, 2)],
    ["a path upwards in pax", [pax({ path: `../${"x".repeat(120)}` }), file("x")]],
    ["a path upwards in a GNU long name", [gnuLongName(`../${"x".repeat(120)}`), file("x", { format: "gnu" })]],
    ["a symbolic link", [{ name: "blobs", type: "2", linkName: "/etc" }]],
    ["a hard link", [{ name: "a", type: "1", linkName: "b" }]],
    ["a character device", [{ name: "a", type: "3" }]],
    ["a block device", [{ name: "a", type: "4" }]],
    ["a fifo", [{ name: "a", type: "6" }]],
    ["a contiguous file", [file("a", { type: "7" })]],
    ["a sparse file of GNU", [file("a", { type: "S", format: "gnu" })]],
    ["a sparse file of pax", [pax({ "GNU.sparse.major": "1" }), file("a")]],
    ["a long link name", [{ name: "././@LongLink", type: "K", content: "x\0", format: "gnu" }, file("a")]],
    ["an unknown type", [file("a", { type: "Z" })]],
    ["a path twice", [file("index.json"), file("index.json", { content: "other" })]],
    ["a path twice, once below ./", [file("index.json"), file("./index.json")]],
    ["a file that is a folder too", [{ name: "a/" }, file("a")]],
    ["a folder that is a file too", [file("a"), { name: "a/" }]],
    ["a file with a name of a folder", [file("a/", { type: "0" })]],
    ["a folder with content", [{ name: "a/", content: "x" }]],
    ["a pax path that contradicts the header", [pax({ path: "index.json" }), file("other")]],
    ["a pax size that contradicts the header", [pax({ size: "3" }), file("a")]],
    ["a pax size that is no number", [pax({ size: "-1" }), file("a")]],
    ["a pax link path", [pax({ linkpath: "x" }), file("a")]],
    ["a global path", [pax({ path: "x" }, "g"), file("a")]],
    ["a global size", [pax({ size: "1" }, "g"), file("a")]],
    [
      "two pax paths in one header",
      [{ ...pax({}), content: paxRecord("path", long) + paxRecord("path", `${long}b`) }, file("x")],
    ],
    ["two pax headers of one entry", [pax({ path: long }), pax({ path: `${long}b` }), file("x")]],
    ["a long name and a pax path", [gnuLongName(long), pax({ path: `${long}b` }), file("x")]],
    ["two long names of one entry", [gnuLongName(long), gnuLongName(`${long}b`), file("x", { format: "gnu" })]],
    ["a pax record of a wrong length", [{ ...pax({}), content: "99 path=x\n" }, file("x")]],
    ["a pax record without a length", [{ ...pax({}), content: "path=x\n" }, file("x")]],
    ["a pax record without a key", [{ ...pax({}), content: "6 =xy\n" }, file("x")]],
    ["a pax record without an end", [{ ...pax({}), content: "8 a=bcde" }, file("x")]],
    ["a pax header without its entry", [file("a"), pax({ path: long })]],
    ["a negative size", [file("a", { sizeField: negative })]],
    ["a size that is too large", [file("a", { sizeField: new Uint8Array(12).fill(0x7f).fill(0x80, 0, 1) })]],
    ["a size that is not octal", [file("a", { sizeField: "00000000009\0" })]],
    ["a size beyond the archive", [file("a", { sizeField: "77777777777\0" })]],
    ["a wrong checksum", [file("a", { badChecksum: true })]],
    ["a header that is neither ustar nor GNU", [file("a", { format: "v7" })]],
    ["no end blocks", [file("a")], { endBlocks: 0 }],
    ["one end block", [file("a")], { endBlocks: 1 }],
    ["a cut entry", makeTar([file("a", { content: "x".repeat(5000) })]).subarray(0, 2048)],
    ["a cut header", makeTar([file("a")]).subarray(0, 300)],
    ["bytes behind the end", [file("a")], { trailer: new TextEncoder().encode("x") }],
    ["another archive behind the end", [file("a")], { trailer: makeTar([file("index.json")]) }],
    ["a pax header over its bound", [pax({ comment: "x".repeat(tarLimits.header) }), file("a")]],
    ["a long name over its bound", [gnuLongName("x".repeat(tarLimits.header)), file("x", { format: "gnu" })]],
    ["no tar at all", new TextEncoder().encode("<html>".repeat(500))],
    ["an empty file", new Uint8Array(0)],
  ])("%s", async (_, parts, options) => {
    await expect(table(parts, options)).rejects.toMatchObject({ code: "malformed-archive" });
  });

  test("and names the entry", async () => {
    await expect(table([file("good"), { name: "evil", type: "2", linkName: "x" }])).rejects.toThrow('"evil"');
  });
});
