import { runtime } from "./detect.ts";

/** What executes this program: `bun 1.4.5`, and the machine in the words of the image specification: linux, amd64. */
export function runtimeFacts(): { readonly runtime: string; readonly os: string; readonly architecture: string } {
  const versions: Readonly<Record<string, string | undefined>> = process.versions;
  return {
    runtime: `${runtime} ${versions[runtime] ?? "unknown"}`,
    os: process.platform === "win32" ? "windows" : process.platform,
    architecture: { x64: "amd64", ia32: "386" }[String(process.arch)] ?? process.arch,
  };
}
