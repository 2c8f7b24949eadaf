import { readFile, writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import type { Context } from "../core/context.ts";
import { replaceFile } from "../core/durable-file.ts";
import { InvalidInputError, LibraryError, NotFoundError, UsageError } from "../core/error.ts";
import { maxDocumentBytes, parseJson } from "../core/json.ts";
import type { Report } from "../core/report.ts";
import type { Digest } from "../oci/digest.ts";
import { describe } from "../oci/make.ts";
import { claimedMediaType, type Manifest, parseManifest } from "../oci/manifest.ts";
import type { PlatformPattern } from "../oci/platform.ts";
import { formatReference, type Reference } from "../oci/reference.ts";
import { namingFile } from "../store/file-error.ts";
import { bytesContent } from "../store/store.ts";
import { inputSize } from "./input-file.ts";
import { openBackend, openSource, pinned, withReference } from "./open.ts";

/** A manifest that was read, found or put. */
export interface ManifestReport extends Report {
  /** By digest. */
  readonly reference: string;
  readonly digest: Digest;
  readonly mediaType: string;
  /** Bytes. */
  readonly size: number;
}

/** Which manifest, and where its bytes go. */
export interface ManifestGetInput {
  readonly reference: Reference;
  readonly platform: readonly PlatformPattern[];
  /** A file, or `-` for standard output. */
  readonly output: string;
}

/** The manifest's bytes, exactly as they are stored and checked, are in the file or went to standard output. */
export async function manifestGet(context: Context, input: ManifestGetInput): Promise<ManifestReport> {
  return withReference(context, input.reference, input.platform, async ({ root }) => {
    if (input.output === "-") await context.terminal.writeStdout(root.bytes);
    else {
      const path = resolve(context.cwd, input.output);
      const write = (temporary: string): Promise<void> => writeFile(temporary, root.bytes);
      await namingFile("write", input.output, () => replaceFile(path, context.random, write));
    }
    return report(input.reference, root);
  });
}

/** Whether the manifest is there, without asking for its bytes where it is named by digest. Throws `not-found`. */
export async function manifestHead(
  context: Context,
  input: Pick<ManifestGetInput, "reference">,
): Promise<ManifestReport> {
  const { reference } = input;
  if (reference.digest === undefined) {
    return withReference(context, reference, [], async ({ root }) => report(reference, root));
  }
  const store = await openSource(context, reference.location);
  try {
    const descriptor = await store.stat("manifest", reference.digest, context);
    if (descriptor === undefined) {
      throw new NotFoundError(`Cannot find manifest ${formatReference(reference)}: it is not there`);
    }
    const { location } = reference;
    const { digest, mediaType, size } = descriptor;
    return { status: "ok", reference: formatReference({ location, digest }), digest, mediaType, size };
  } finally {
    await store.close();
  }
}

/** Which file becomes a manifest of which place. */
export interface ManifestPutInput {
  /** With a tag, with the digest that the bytes must have, or with neither: then the manifest is put by its digest. */
  readonly reference: Reference;
  /** A file, or `-` for standard input. */
  readonly file: string;
  /** Else what the manifest itself says. */
  readonly mediaType?: string | undefined;
}

/**
 * The file's bytes, unchanged, are a manifest of the place, under the tag if one is named. A registry refuses it
 * with `blob-missing` where it lacks what the manifest points at; a layout may be sparse.
 */
export async function manifestPut(context: Context, input: ManifestPutInput): Promise<ManifestReport> {
  const { reference } = input;
  const manifest = await readManifest(context, input);
  if (reference.digest !== undefined && reference.digest !== manifest.descriptor.digest) {
    throw new UsageError(`Cannot put ${formatReference(reference)}: the file is ${manifest.descriptor.digest}`, {
      hint: "Leave the digest out, or give the file that has it",
    });
  }
  const backend = await openBackend(context, reference.location);
  try {
    const writing = await backend.begin(context);
    const node = { kind: "manifest", descriptor: manifest.descriptor } as const;
    try {
      await writing.write(node, async () => bytesContent(manifest.bytes));
      await writing.commit([{ manifest, ...(reference.tag === undefined ? {} : { tag: reference.tag }) }]);
    } catch (error) {
      await writing.abort({ keepPartial: false });
      throw error;
    }
    return report(reference, manifest);
  } finally {
    await backend.close();
  }
}

async function readManifest(context: Context, input: ManifestPutInput): Promise<Manifest> {
  const bytes =
    input.file === "-"
      ? await context.terminal.readStdin(maxDocumentBytes)
      : await readBounded(resolve(context.cwd, input.file), input.file);
  const mediaType = input.mediaType ?? claimedMediaType(parseJson(bytes, input.file));
  if (mediaType === undefined) {
    throw new InvalidInputError(`Cannot put ${input.file}: it does not say what type of manifest it is`, {
      hint: "Give --media-type",
    });
  }
  const value = parseManifest(bytes, mediaType, input.file);
  const algorithm = input.reference.digest?.startsWith("sha512:") ? "sha512" : "sha256";
  const descriptor = describe(bytes, mediaType, algorithm);
  return { descriptor, bytes, value };
}

async function readBounded(path: string, name: string): Promise<Uint8Array> {
  const size = await inputSize(path, name);
  if (size > maxDocumentBytes) {
    throw new LibraryError(
      "limit-exceeded",
      `Cannot read ${name}: ${size} bytes, expected at most ${maxDocumentBytes} of a manifest`,
    );
  }
  return namingFile("read", path, () => readFile(path));
}

function report(reference: Reference, manifest: Manifest): ManifestReport {
  const { digest, mediaType, size } = manifest.descriptor;
  return { status: "ok", reference: pinned(reference.location, manifest), digest, mediaType, size };
}
