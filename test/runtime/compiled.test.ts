import { expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hexOf } from "../../src/core/hashing.ts";

const root = new URL("../../", import.meta.url).pathname;

test.each([
  ["plain", []],
  ["as released", ["--minify", "--bytecode", "--format=esm"]],
  ["split", ["--minify", "--splitting", "--format=esm"]],
])("the ports work in an executable compiled %s", (_name, flags) => {
  const folder = mkdtempSync(join(tmpdir(), "library-compiled-"));
  try {
    // The entry stands where src/main.ts does: the place of the worker follows from it
    cpSync(join(root, "src"), join(folder, "src"), { recursive: true });
    mkdirSync(join(folder, "test", "support"), { recursive: true });
    cpSync(join(root, "test", "support", "io.ts"), join(folder, "test", "support", "io.ts"));
    cpSync(join(root, "test", "runtime", "compiled-once.ts"), join(folder, "test", "runtime", "compiled-once.ts"));
    symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
    writeFileSync(join(folder, "src", "main.ts"), 'await import("../test/runtime/compiled-once.ts");\n');
    const entries = ["src/main.ts", "src/runtime/hash-worker.ts"];
    const executable = join(folder, "executable");
    const build = ["build", "--compile", ...flags, ...entries, "--outfile", executable];
    execFileSync(process.execPath, build, { cwd: folder, stdio: "pipe" });
    rmSync(join(folder, "src"), { recursive: true });

    const bytes = Buffer.alloc(6_000_000, "abc");
    writeFileSync(join(folder, "file"), bytes);
    const args = [join(folder, "file"), join(folder, "lock")];
    const output = execFileSync(executable, args, { cwd: tmpdir(), encoding: "utf8", timeout: 20_000 });
    expect(JSON.parse(output)).toEqual({ hex: hexOf("sha256", bytes), held: "held", served: "served", status: 0 });
  } finally {
    rmSync(folder, { recursive: true });
  }
});
