import * as v from "valibot";
import { LibraryError } from "../core/error.ts";
import { isJsonObject, type JsonObject, parseJson, writeJson } from "../core/json.ts";
import { annotationKeys } from "../oci/annotations.ts";
import { type Descriptor, descriptorSchema } from "../oci/descriptor.ts";
import type { Digest } from "../oci/digest.ts";
import { refuseNearNames } from "../oci/manifest.ts";
import { isIndexType, mediaTypes } from "../oci/media-type.ts";
import type { Entry } from "./backend.ts";

/** Bounds of a layout's index.json; it is the table of a whole repository and so may be larger than a manifest. */
export const layoutIndexLimits = { bytes: 32 * 1024 * 1024, entries: 100_000 } as const;

/** An entry of index.json: as it was read, and what this program understands of it. */
export interface IndexEntry {
  readonly json: JsonObject;
  readonly descriptor: Descriptor;
}

/** A layout's index.json; properties that this program does not know stay in `document` and in each entry's `json`. */
export interface LayoutIndex {
  readonly document: JsonObject;
  readonly entries: readonly IndexEntry[];
}

/** The index of a layout in which there is nothing yet. */
export const emptyLayoutIndex: LayoutIndex = {
  document: { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [] },
  entries: [],
};

/** The index in `bytes`; throws `malformed-json`, `malformed-content` with a JSON pointer, or `limit-exceeded`. */
export function parseLayoutIndex(bytes: Uint8Array, name: string): LayoutIndex {
  const document = parseJson(bytes, name, { maxBytes: layoutIndexLimits.bytes });
  if (!isJsonObject(document)) throw malformed(name, "", "expected an object");
  refuseNearNames(document, name);
  if (document.schemaVersion !== 2) throw malformed(name, "/schemaVersion", "expected 2");
  const type = document.mediaType;
  if (type !== undefined && !(typeof type === "string" && isIndexType(type))) {
    throw malformed(name, "/mediaType", "not the type of an index");
  }
  if ("layers" in document || "config" in document) throw malformed(name, "", "both a manifest and an index");
  // null is what Go programs write for a list without entries
  const list = document.manifests === null ? [] : document.manifests;
  if (!Array.isArray(list)) throw malformed(name, "/manifests", "expected a list");
  if (list.length > layoutIndexLimits.entries) throw tooMany(name, list.length);
  return { document, entries: list.map((json, position) => parseEntry(json, position, name)) };
}

/** The bytes of the index, compact; throws `limit-exceeded` where they could not be read again. */
export function serializeLayoutIndex(index: LayoutIndex, name: string): Uint8Array {
  if (index.entries.length > layoutIndexLimits.entries) throw tooMany(name, index.entries.length);
  const bytes = writeJson({ ...index.document, manifests: index.entries.map((entry) => entry.json) });
  if (bytes.byteLength > layoutIndexLimits.bytes) {
    const { bytes: limit } = layoutIndexLimits;
    throw new LibraryError("limit-exceeded", `Cannot write ${name}: more than ${limit} bytes of entries`);
  }
  return bytes;
}

/** The entry's `org.opencontainers.image.ref.name`; a name with control characters or over 512 characters names nothing. */
export function refName(descriptor: Descriptor): string | undefined {
  return sane(descriptor.annotations?.[annotationKeys.refName]);
}

/** Whether the entry has a name of any kind. */
export function isNamed(descriptor: Descriptor): boolean {
  return refName(descriptor) !== undefined || containerdName(descriptor) !== undefined;
}

/**
 * The entries that a name means: those whose whole ref.name it is, else those whose image name of containerd it is, else
 * those whose ref.name ends in it as a tag. More than one digest among them is ambiguous.
 */
export function findNamed(index: LayoutIndex, name: string): readonly Descriptor[] {
  const descriptors = index.entries.map((entry) => entry.descriptor);
  for (const nameOf of [refName, containerdName, tagAtEnd]) {
    const found = descriptors.filter((descriptor) => nameOf(descriptor) === name);
    if (found.length > 0) return found;
  }
  return [];
}

/** The one digest that a name means; undefined where there is none; throws `ambiguous-reference` where there are several. */
export function digestNamed(index: LayoutIndex, name: string, place: string): Digest | undefined {
  const digests = [...new Set(findNamed(index, name).map((descriptor) => descriptor.digest))];
  if (digests.length <= 1) return digests[0];
  throw new LibraryError(
    "ambiguous-reference",
    `Cannot choose in ${place}: ${digests.length} entries are named ${JSON.stringify(name)}`,
    { hint: `Name one by its digest, as ${place}@${digests[0]}` },
  );
}

/** The entries in their order, each under the shortest name that `findNamed` leads back to it and to nothing else. */
export function listEntries(index: LayoutIndex): readonly Entry[] {
  const whole = new Set(index.entries.flatMap(({ descriptor }) => [refName(descriptor), containerdName(descriptor)]));
  const ends = new Map<string, Set<Digest>>();
  for (const { descriptor } of index.entries) {
    const end = tagAtEnd(descriptor);
    if (end !== undefined) ends.set(end, (ends.get(end) ?? new Set()).add(descriptor.digest));
  }
  return index.entries.map(({ descriptor }) => {
    const end = tagAtEnd(descriptor);
    const isClear = end !== undefined && !whole.has(end) && ends.get(end)?.size === 1;
    const tag = isClear ? end : (refName(descriptor) ?? containerdName(descriptor));
    return tag === undefined ? { descriptor } : { tag, descriptor };
  });
}

/** What a commit changes in an index. */
export interface IndexChange {
  /** Without it, an entry without a name is wanted. */
  readonly tag?: string | undefined;
  readonly descriptor: Descriptor;
}

/**
 * The index with the changes made: a tag moves in its place and takes all entries of that name with it, other entries
 * and unknown properties stay as they are. An unnamed one is added where its digest has no entry (a referrer: no
 * unnamed entry). The same index where nothing changes.
 */
export function changeIndex(index: LayoutIndex, changes: readonly IndexChange[]): LayoutIndex {
  let { entries } = index;
  for (const { tag, descriptor } of changes) {
    entries = tag === undefined ? withUnnamed(entries, descriptor) : withNamed(entries, tag, descriptor);
  }
  return entries === index.entries ? index : { document: index.document, entries };
}

/** The index without the entries that `isGone` says yes to. */
export function withoutEntries(index: LayoutIndex, isGone: (descriptor: Descriptor) => boolean): LayoutIndex {
  return { document: index.document, entries: index.entries.filter((entry) => !isGone(entry.descriptor)) };
}

function withNamed(
  entries: readonly IndexEntry[],
  tag: string,
  { annotations, ...bare }: Descriptor,
): readonly IndexEntry[] {
  const named = entries.filter((entry) => refName(entry.descriptor) === tag);
  if (named.length === 1 && named[0]?.descriptor.digest === bare.digest) return entries;
  const made = madeEntry({ ...bare, annotations: { ...annotations, [annotationKeys.refName]: tag } });
  const first = entries.findIndex((entry) => refName(entry.descriptor) === tag);
  if (first < 0) {
    const unnamed = entries.find((entry) => entry.descriptor.digest === bare.digest && isPlain(entry.descriptor));
    if (unnamed === undefined) return [...entries, made];
    return entries.map((entry) => (entry === unnamed ? renamed(entry, tag) : entry));
  }
  return entries.flatMap((entry, position) => {
    if (position === first) return [made];
    return refName(entry.descriptor) === tag ? [] : [entry];
  });
}

function withUnnamed(entries: readonly IndexEntry[], descriptor: Descriptor): readonly IndexEntry[] {
  const isReferrer = descriptor.annotations?.[annotationKeys.containerdSubject] !== undefined;
  const isThere = entries.some(
    (entry) => entry.descriptor.digest === descriptor.digest && !(isReferrer && isNamed(entry.descriptor)),
  );
  return isThere ? entries : [...entries, madeEntry(descriptor)];
}

/** Whether the entry is neither named nor a referrer's: a root that has no name yet. */
function isPlain(descriptor: Descriptor): boolean {
  return !isNamed(descriptor) && descriptor.annotations?.[annotationKeys.containerdSubject] === undefined;
}

function renamed({ json, descriptor }: IndexEntry, tag: string): IndexEntry {
  const annotations = { ...descriptor.annotations, [annotationKeys.refName]: tag };
  return { json: { ...json, annotations }, descriptor: { ...descriptor, annotations } };
}

function madeEntry(descriptor: Descriptor): IndexEntry {
  const { mediaType, digest, size, artifactType, annotations } = descriptor;
  const json = {
    mediaType,
    digest,
    size,
    ...(artifactType ? { artifactType } : {}),
    ...(annotations && Object.keys(annotations).length > 0 ? { annotations } : {}),
  };
  return { json, descriptor: json };
}

function parseEntry(json: unknown, position: number, name: string): IndexEntry {
  const result = v.safeParse(descriptorSchema, json);
  if (result.success) {
    // The schema accepts objects only; its output type allows any further property
    return { json: json as JsonObject, descriptor: result.output as Descriptor };
  }
  const issue = result.issues[0];
  const path = (issue.path ?? []).map((item) => `/${String(item.key)}`).join("");
  throw malformed(name, `/manifests/${position}${path}`, issue.message);
}

function containerdName(descriptor: Descriptor): string | undefined {
  return sane(descriptor.annotations?.[annotationKeys.containerdImageName]);
}

/** What follows the last ":" of a ref.name that no "/" follows, as in `example.org/app:1.0`. */
function tagAtEnd(descriptor: Descriptor): string | undefined {
  const name = refName(descriptor);
  const colon = name?.lastIndexOf(":") ?? -1;
  const end = colon < 0 ? undefined : name?.slice(colon + 1);
  return end === undefined || end === "" || end.includes("/") ? undefined : end;
}

function sane(name: string | undefined): string | undefined {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  return name === undefined || name === "" || name.length > 512 || /[\u0000-\u001f\u007f-\u009f]/.test(name)
    ? undefined
    : name;
}

function tooMany(name: string, count: number): LibraryError {
  return new LibraryError(
    "limit-exceeded",
    `Cannot use ${name}: ${count} entries, expected at most ${layoutIndexLimits.entries}`,
  );
}

function malformed(name: string, path: string, problem: string): LibraryError {
  return new LibraryError("malformed-content", `Cannot read ${name}${path === "" ? "" : ` at ${path}`}: ${problem}`);
}
