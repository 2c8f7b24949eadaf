import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { blobPath, indexFile } from "../../src/oci/layout.ts";
import { type Content, contentTag } from "./content.ts";
import type { Place } from "./tools.ts";

/**
 * Throws where the registry has another manifest under the tag than was to be pushed: it is read and hashed. That
 * nothing below it is missing is the registry's word, which takes no manifest otherwise.
 */
export async function checkPushed(content: Content, { host, repository }: Place): Promise<void> {
  const accept = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json";
  const response = await fetch(`http://${host}/v2/${repository}/manifests/${contentTag}`, { headers: { accept } });
  const bytes = await response.bytes();
  const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
  if (response.ok && digest === content.digest) return;
  throw new Error(`the registry has ${response.ok ? digest : `status ${response.status}`}, expected ${content.digest}`);
}

/** Throws where the layout has another entry than was to be pulled, or not every blob whole; with `hash`, reads them. */
export async function checkPulled(content: Content, layout: string, hash: boolean): Promise<void> {
  const index: unknown = JSON.parse(await readFile(join(layout, indexFile), "utf8"));
  const entries = entriesOf(index);
  const tagged = entries.filter(({ tag }) => tag === contentTag);
  // crane names no tag and lists the image again when it pulls again; oras lists the members of an index, too
  const digests = new Set((tagged.length > 0 ? tagged : entries).map(({ digest }) => digest));
  if (digests.size !== 1 || !digests.has(content.digest)) {
    throw new Error(`the layout has ${[...digests].join(", ") || "no entry"}, expected ${content.digest}`);
  }
  for (const name of await readdir(join(content.folder, "blobs", "sha256"))) {
    const path = join(layout, blobPath(`sha256:${name}`));
    const [expected, found] = await Promise.all([stat(join(content.folder, blobPath(`sha256:${name}`))), stat(path)]);
    if (found.size !== expected.size) throw new Error(`${path} has ${found.size} bytes, expected ${expected.size}`);
    if (hash && (await hexOfFile(path)) !== name) throw new Error(`${path} has another digest than its name`);
  }
}

interface Entry {
  readonly digest: unknown;
  readonly tag: unknown;
}

function entriesOf(index: unknown): readonly Entry[] {
  if (typeof index !== "object" || index === null || !("manifests" in index)) return [];
  if (!Array.isArray(index.manifests)) return [];
  return index.manifests.map((entry) => ({
    digest: entry?.digest,
    tag: entry?.annotations?.["org.opencontainers.image.ref.name"],
  }));
}

async function hexOfFile(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const piece of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(piece);
  return hash.digest("hex");
}
