import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { peersFolder } from "./peers.ts";
import { runProgram } from "./program.ts";

/** A root file system, or why there is none. */
export type DebianRoot =
  | { readonly kind: "there"; readonly tar: string }
  | { readonly kind: "missing"; readonly reason: string };

/**
 * The smallest root file system of Debian bookworm, as a tar: made once from Debian's mirror, then kept beside the
 * peers. Needs root, for the owners of files and the devices.
 */
export async function debianRoot(mmdebstrap: string): Promise<DebianRoot> {
  const folder = join(peersFolder(), "debian");
  const tar = join(folder, "bookworm-minbase.tar");
  if (existsSync(tar)) return { kind: "there", tar };
  mkdirSync(folder, { recursive: true });
  const partial = `${tar}.${process.pid}.tar`;
  const argv = ["--quiet", "--variant=minbase", "bookworm", partial];
  const { status, stderr } = await runProgram(mmdebstrap, argv, {
    env: {
      PATH: `${process.env.PATH}:/usr/sbin:/sbin`,
      HOME: process.env.HOME ?? "/",
      DEBIAN_FRONTEND: "noninteractive",
    },
    timeoutMs: 600_000,
  });
  if (status === 0) {
    renameSync(partial, tar);
    return { kind: "there", tar };
  }
  rmSync(partial, { force: true });
  return {
    kind: "missing",
    reason: `mmdebstrap ended with ${status}: ${stderr.trim().split("\n").slice(-2).join(" ")}`,
  };
}
