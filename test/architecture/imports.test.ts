import { afterAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import {
  directionViolations,
  exportViolations,
  globalViolations,
  lengthViolations,
  packageViolations,
} from "./rules.ts";
import { readSources, type Source } from "./sources.ts";

const sources = await readSources(join(import.meta.dir, "../.."));

test("readSources() finds the sources of this checkout", () => {
  expect(sources.map((source) => source.path)).toContain("core/error.ts");
  expect(sources.length).toBeGreaterThan(50);
  expect(sources.filter((source) => source.imports.length > 0).length).toBeGreaterThan(30);
});

test.each([
  ["folders import in one direction", directionViolations],
  ["outside packages and built-ins stay in their homes", packageViolations],
  ["globals of the runtime stay in runtime/ and cli/", globalViolations],
  ["files are short", lengthViolations],
  ["exports are named and documented", exportViolations],
])("src/: %s", (_, violations) => {
  expect(violations(sources)).toEqual([]);
});

// What the rules are worth: each has to find what breaks it, and nothing else
const folder = realpathSync(mkdtempSync(join(tmpdir(), "library-architecture-")));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function sourcesOf(files: Readonly<Record<string, string>>): Promise<readonly Source[]> {
  rmSync(join(folder, "src"), { recursive: true, force: true });
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, "src", path)), { recursive: true });
    writeFileSync(join(folder, "src", path), text);
  }
  writeFileSync(
    join(folder, "tsconfig.json"),
    JSON.stringify({
      compilerOptions: {
        allowImportingTsExtensions: true,
        noEmit: true,
        types: [],
        module: "esnext",
        target: "esnext",
      },
      include: ["src"],
    }),
  );
  return readSources(folder);
}

test("directionViolations() finds static, dynamic, type and re-exporting imports", async () => {
  const found = await sourcesOf({
    "core/a.ts": 'export const a = "import { b } from \'../cli/text.ts\'"; // import "../cli/comment.ts"\n',
    "oci/b.ts": 'import { a } from "../core/a.ts";\nimport type { S } from "../store/s.ts";\na;\n',
    "store/s.ts": 'export type S = 1;\nexport const later = () => import("../registry/r.ts");\n',
    "registry/r.ts": 'export { main } from "../main.ts";\nexport type T = import("../image/i.ts").I;\n',
    "image/i.ts": 'export type I = 1;\nimport "../../test/x.ts";\nimport "./other.ts";\n',
    "odd/o.ts": 'import "../core/a.ts";\n',
    "main.ts": 'import "./cli/app.ts";\nimport "./runtime/mod.ts";\nexport const main = 1;\n',
  });
  expect(directionViolations(found)).toEqual([
    { place: "src/image/i.ts:2", problem: "imports ../../test/x.ts, which lies outside src/" },
    { place: "src/main.ts:2", problem: "main imports runtime: ./runtime/mod.ts" },
    { place: "src/oci/b.ts:2", problem: "oci imports store: ../store/s.ts" },
    { place: "src/odd/o.ts:1", problem: "odd/ is not in the table of imports" },
    { place: "src/registry/r.ts:1", problem: "registry imports main: ../main.ts" },
    { place: "src/registry/r.ts:2", problem: "registry imports image: ../image/i.ts" },
    { place: "src/store/s.ts:2", problem: "store imports registry: ../registry/r.ts" },
  ]);
});

test("packageViolations() finds packages and built-ins away from their homes", async () => {
  const found = await sourcesOf({
    "core/a.ts":
      'import { createHash } from "node:crypto";\nimport { randomBytes as r } from "node:crypto";\nimport "valibot";\n',
    "oci/b.ts": 'import "node:path";\nimport "left-pad/x";\n',
    "store/c.ts": 'import "valibot";\nimport "yaml";\nimport "fs";\nimport "node:fs/promises";\n',
    "manifest/d.ts":
      'import "yaml";\nimport "@valibot/to-json-schema/x";\nimport { setTimeout } from "node:timers/promises";\n',
    "server/e.ts": 'import "bun:sqlite";\nconst h = await import("node:http");\nexport { h };\n',
    "runtime/f.ts": 'import "bun:ffi";\nimport "node:http";\nimport "node:sqlite";\n',
  });
  expect(packageViolations(found)).toEqual([
    { place: "src/core/a.ts:2", problem: "imports randomBytes of node:crypto, which a port covers" },
    { place: "src/manifest/d.ts:3", problem: "imports node:timers/promises, which a port covers" },
    { place: "src/oci/b.ts:1", problem: "imports node:path into pure values" },
    { place: "src/oci/b.ts:2", problem: "imports left-pad, which has no home" },
    { place: "src/server/e.ts:1", problem: "imports bun:sqlite" },
    { place: "src/server/e.ts:2", problem: "imports node:http, which a port covers" },
    { place: "src/store/c.ts:2", problem: "imports yaml, whose home is manifest" },
    { place: "src/store/c.ts:3", problem: "imports fs without node:" },
  ]);
});

test("globalViolations() finds uses, but no members, declarations, strings or types of the same name", async () => {
  const found = await sourcesOf({
    "core/a.ts": [
      "export const at = Date.now();",
      "export const now = new Date();",
      "export const then = new Date(0);",
      "export const env = process.env;",
      "export const text = 'Bun.file and Deno.cwd()'; // console.log",
      "export const o = { process: 1, Bun: 2, random: Math.random };",
      "export const p = o.process + o.Bun;",
      "export type D = Date;",
      "export const { exit } = process;",
      "export const s = { fetch };",
      "console.log(globalThis);",
    ].join("\n"),
    "core/b.ts": "export function send(fetch: () => void, process: { env: 1 }) { fetch(); return process.env; }\n",
    "cli/c.ts": "process.exit(1);\nconsole.log(process.env, Date.now(), Math.random());\n",
    "runtime/d.ts": "export const b = Bun.version + Math.random() + Date.now();\n",
    "main.ts": "process.exit(Date.now());\n",
  });
  expect(globalViolations(found)).toEqual([
    { place: "src/cli/c.ts:1", problem: "uses process.exit" },
    { place: "src/cli/c.ts:2", problem: "uses Math.random" },
    { place: "src/core/a.ts:1", problem: "uses Date.now" },
    { place: "src/core/a.ts:2", problem: "uses new Date()" },
    { place: "src/core/a.ts:4", problem: "uses process.env" },
    { place: "src/core/a.ts:6", problem: "uses Math.random" },
    { place: "src/core/a.ts:9", problem: "uses process" },
    { place: "src/core/a.ts:10", problem: "uses fetch" },
    { place: "src/core/a.ts:11", problem: "uses console.log" },
    { place: "src/core/a.ts:11", problem: "uses globalThis" },
    { place: "src/main.ts:1", problem: "uses Date.now" },
  ]);
});

test("lengthViolations() allows 350 lines and no more", async () => {
  const found = await sourcesOf({ "core/a.ts": "//\n".repeat(350), "core/b.ts": "//\n".repeat(351) });
  expect(lengthViolations(found)).toEqual([{ place: "src/core/b.ts:351", problem: "has 351 lines, more than 350" }]);
});

test("exportViolations() finds exports without a doc comment and default exports", async () => {
  const found = await sourcesOf({
    "core/a.ts": [
      "/** Said. */",
      "export const a = 1;",
      "// Not a doc comment",
      "export function b() {}",
      "export type C = 1;",
      "/** Said. */",
      "export interface D {}",
      "export class E {}",
      "const f = 1;",
      "/** Said. */",
      "export default f;",
    ].join("\n"),
    "core/g.ts": "/** Said. */\nexport default function () {}\n",
  });
  expect(exportViolations(found)).toEqual([
    { place: "src/core/a.ts:4", problem: "exports b without a doc comment" },
    { place: "src/core/a.ts:5", problem: "exports C without a doc comment" },
    { place: "src/core/a.ts:8", problem: "exports E without a doc comment" },
    { place: "src/core/a.ts:11", problem: "has a default export" },
    { place: "src/core/g.ts:2", problem: "has a default export" },
  ]);
});
