import type { Content, Io } from "../core/content.ts";
import type { Descriptor, Kind, Node } from "../oci/descriptor.ts";
import type { Digest } from "../oci/digest.ts";
import type { Role } from "../oci/edges.ts";
import type { Manifest } from "../oci/manifest.ts";
import type { Location } from "../oci/reference.ts";
import type { Store } from "./store.ts";

/** A manifest as a place hands it out, not yet checked: the digest asked for or claimed, the type claimed, the bytes. */
export interface RawManifest {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
}

/** An entry of a place: a registry knows tags, a layout its entries. */
export interface Entry {
  readonly tag?: string;
  readonly descriptor?: Descriptor;
}

/** The referrers of a subject and how they were found; `unknown` where the place cannot tell. */
export interface Referrers {
  readonly via: "api" | "tag" | "index" | "unknown";
  readonly entries: AsyncIterable<Descriptor>;
}

/** A place to read from. Nothing it hands out is checked: read it through a Store. */
export interface Source {
  /** For messages: `registry.example.org/app`, `oci:./dist`. */
  readonly name: string;
  /** Where it is, for mounts and reports; undefined for memory. */
  readonly location: Location | undefined;
  /**
   * The manifest that a tag or digest names. Undefined where there is none: every other failure throws.
   * Without a reference there must be exactly one entry (`ambiguous-reference` else); registries always need one.
   */
  resolve(reference: string | undefined, io: Io): Promise<RawManifest | undefined>;
  /** Whether the node is there, how large, and of what type (`application/octet-stream` where unknown). */
  stat(kind: Kind, digest: Digest, io: Io): Promise<Descriptor | undefined>;
  /** The node's bytes, unchecked; undefined where there is no such node. */
  read(kind: Kind, digest: Digest, io: Io): Promise<Content | undefined>;
  list(io: Io): AsyncIterable<Entry>;
  referrers(subject: Descriptor, filter: { readonly artifactType?: string }, io: Io): Promise<Referrers>;
  close(): Promise<void>;
}

/** A step of a copy: an edge, where its bytes come from, and what must be there before it. */
export interface Step extends Node {
  readonly role: Role;
  readonly source: Store;
  /** Parsed, where `kind` is `manifest`. */
  readonly manifest?: Manifest;
  /** Digests of the children that must be written before. */
  readonly needs: readonly Digest[];
}

/** How a node came to be in the target. */
export type Outcome = "present" | "mounted" | "linked" | "sent";

/** What a commit makes visible: a manifest, under a tag or without one. */
export interface CommitEntry {
  readonly manifest: Manifest;
  readonly tag?: string;
  /** What the tag must point at now; else the commit fails with `tag-moved` and changes nothing of this entry. */
  readonly expect?: Digest | "absent";
}

/**
 * A place to write to. Everything is checked as it is written: wrong bytes are refused (`digest-mismatch` or
 * `size-mismatch`) and leave nothing behind. After the commit, a manifest with a subject is found by
 * `referrers(subject)`: each target does what that takes.
 */
export interface Target {
  readonly name: string;
  readonly location: Location | undefined;
  /** `sorted`: nodes must be written in the order of `compareNodes`, and `plan` must be given to `begin`. */
  readonly order: "any" | "sorted";
  begin(io: Io, plan?: readonly Step[]): Promise<Writing>;
}

/** One transaction on a target. Ends with `commit` or `abort`, one of them, once. */
export interface Writing {
  has(node: Node): Promise<boolean>;
  /** Puts the node there, unless it is there already. `open` gives its bytes; may be called several times for retries. */
  write(
    node: Node,
    open: () => Promise<Content>,
    hints?: { readonly mountFrom?: Location | undefined },
  ): Promise<Outcome>;
  /** Makes everything written durable and the entries visible, all or nothing where the place can do that. */
  commit(entries: readonly CommitEntry[]): Promise<void>;
  /** Removes what was written and is not visible; with `keepPartial` what a later run can go on from stays. */
  abort(options: { readonly keepPartial: boolean }): Promise<void>;
}

/** What `remove` removes: a tag alone, a manifest with all its tags, or a blob. */
export type Removal = { readonly tag: string } | { readonly kind: Kind; readonly digest: Digest };

/** A place that can be read and written. */
export interface Backend extends Source, Target {
  /** The tag alone or the node is gone after; `not-found` where it was not there, `unsupported` where the place cannot. */
  remove(removal: Removal, io: Io): Promise<void>;
}

/** The order of archives: by the path of the blob, so that equal graphs give equal tars. */
export function compareNodes(a: Node, b: Node): number {
  return a.descriptor.digest < b.descriptor.digest ? -1 : a.descriptor.digest > b.descriptor.digest ? 1 : 0;
}
