import { describe, test } from "bun:test";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";

/**
 * The path of another program that tests work with: from `$LIBRARY_PEERS/bin`, where `sh scripts/peers.sh` installs
 * those in Go, or from PATH. Undefined where it is not there.
 */
export function peer(name: string): string | undefined {
  // Debian keeps runc where only administrators have it on PATH
  const folders = [join(peersFolder(), "bin"), process.env.PATH ?? "", "/usr/sbin", "/sbin"];
  return Bun.which(name, { PATH: folders.join(delimiter) }) ?? undefined;
}

/** Where peers, and what they need, outlive checkouts. */
export function peersFolder(): string {
  return process.env.LIBRARY_PEERS ?? join(homedir(), ".cache", "library-peers");
}

/** The paths of peers by their names. */
export type PeerPaths<Name extends string> = Readonly<Record<Name, string>>;

/**
 * A test with the paths of the peers that it needs. Where one is missing, the test fails with CI=true, and is skipped
 * with the reason on stderr elsewhere.
 */
export function testWithPeers<Name extends string>(
  names: readonly Name[],
  title: string,
  body: (peers: PeerPaths<Name>) => void | Promise<void>,
  timeoutMs?: number,
): void {
  const found = findPeers(names);
  if (found.kind === "found") test(title, () => body(found.paths), timeoutMs);
  else skipOrFail(found.missing, title);
}

/** As `testWithPeers`, for a block of tests; `body` registers them and is not called where a peer is missing. */
export function describeWithPeers<Name extends string>(
  names: readonly Name[],
  title: string,
  body: (peers: PeerPaths<Name>) => void,
): void {
  const found = findPeers(names);
  if (found.kind === "found") describe(title, () => body(found.paths));
  else skipOrFail(found.missing, title);
}

function findPeers<Name extends string>(names: readonly Name[]) {
  const paths: Partial<Record<Name, string>> = {};
  const missing: string[] = [];
  for (const name of names) {
    const path = peer(name);
    if (path === undefined) missing.push(name);
    else paths[name] = path;
  }
  if (missing.length > 0) return { kind: "missing", missing } as const;
  // All names have a path here
  return { kind: "found", paths: paths as PeerPaths<Name> } as const;
}

function skipOrFail(missing: readonly string[], title: string): void {
  const reason = `${missing.join(", ")} not found: run "sh scripts/peers.sh", or put what it does not install on PATH`;
  if (process.env.CI === "true") {
    test(title, () => {
      throw new Error(`Cannot test with a peer: ${reason}`);
    });
  } else {
    console.error(`skip: ${title}: ${reason}`);
    test.skip(title, () => {});
  }
}
