import { expect } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { testWithPeers } from "../support/peers.ts";
import { libraryBinary, outputOf } from "../support/program.ts";

const script = join(import.meta.dir, "../../scripts/bench.ts");
const copying = ["crane", "library", "oras", "regctl", "skopeo"];

testWithPeers(
  ["registry", "crane", "oras", "regctl", "skopeo"],
  "scripts/bench.ts measures every tool that copies, cold and warm, on content that stays the same",
  async () => {
    const folder = mkdtempSync(join(tmpdir(), "library-bench-"));
    try {
      const json = join(folder, "report.json");
      const small = ["--runs", "1", "--size", "1MiB", "--images", "1", "--only", "push-large,pull-small"];
      const where = ["--library", libraryBinary(), "--folder", folder, "--json", json];
      const env = { HOME: process.env.HOME ?? "", LIBRARY_PEERS: process.env.LIBRARY_PEERS ?? "" };
      const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ""));
      const text = (await outputOf(process.execPath, [script, ...small, ...where], { env: given })).toString();
      const report = JSON.parse(readFileSync(json, "utf8"));
      const names = report.rows.map((row: { name: string }) => row.name);
      expect(names).toEqual(["push-large cold", "push-large warm", "pull-small cold", "pull-small warm"]);
      for (const { results, refusal } of report.rows) {
        expect(refusal).toBeUndefined();
        expect(results.map((result: { tool: string }) => result.tool).sort()).toEqual(copying);
        for (const { wallMs, cpuMs } of results) {
          expect(wallMs).toBeGreaterThan(0);
          expect(cpuMs).toBeGreaterThan(0);
        }
      }
      expect(text).toContain("| push-large cold |");
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
  60_000,
);
