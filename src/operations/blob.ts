import { resolve } from "node:path";
import type { Context } from "../core/context.ts";
import { replaceFile } from "../core/durable-file.ts";
import { NotFoundError, UsageError } from "../core/error.ts";
import type { Report } from "../core/report.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import type { Digest } from "../oci/digest.ts";
import { formatReference, type Location, type Reference } from "../oci/reference.ts";
import type { Target } from "../store/backend.ts";
import { fileContent } from "../store/file-content.ts";
import { namingFile } from "../store/file-error.ts";
import type { Store } from "../store/store.ts";
import { inputSize } from "./input-file.ts";
import { openBackend, openSource } from "./open.ts";
import { saveStream, withTemporaryFile } from "./spool.ts";

/** The largest blob that is taken from standard input: 64 GiB. */
const maxInputBytes = 64 * 1024 ** 3;

/** A blob that was read, found or put. */
export interface BlobReport extends Report {
  /** By digest. */
  readonly reference: string;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
}

/** Which blob, and where its bytes go. */
export interface BlobGetInput {
  /** By digest. */
  readonly reference: Reference;
  /** A file, or `-` for standard output. */
  readonly output: string;
}

/** The blob's bytes, all checked before the first is shown, are in the file or went to standard output. */
export async function blobGet(context: Context, input: BlobGetInput): Promise<BlobReport> {
  return withBlob(context, input.reference, async (store, descriptor, report) => {
    const save = async (path: string): Promise<void> => {
      const stream = await store.stream({ kind: "blob", descriptor }, context);
      await saveStream(stream, path, context.signal);
    };
    if (input.output !== "-") {
      const path = resolve(context.cwd, input.output);
      await namingFile("write", input.output, () => replaceFile(path, context.random, save));
      return report;
    }
    await withTemporaryFile(async (path) => {
      await save(path);
      for await (const chunk of await fileContent(path, descriptor.size).stream()) {
        await context.terminal.writeStdout(chunk);
      }
    });
    return report;
  });
}

/** Whether a blob is there and how large it is, as the place says; its bytes are not read. Throws `not-found`. */
export async function blobHead(context: Context, input: Pick<BlobGetInput, "reference">): Promise<BlobReport> {
  return withBlob(context, input.reference, async (_store, _descriptor, report) => report);
}

/** Which file becomes a blob of which place. */
export interface BlobPutInput {
  readonly location: Location;
  /** A file, or `-` for standard input. */
  readonly file: string;
}

/** The file's bytes are a blob of the place; nothing refers to it yet. Throws `unsupported` for an archive. */
export async function blobPut(context: Context, input: BlobPutInput): Promise<BlobReport> {
  const backend = await openBackend(context, input.location);
  try {
    if (input.file !== "-") {
      const path = resolve(context.cwd, input.file);
      return await putFile(context, backend, input.location, path, await inputSize(path, input.file));
    }
    return await withTemporaryFile(async (path) => {
      const size = await saveStream(context.terminal.stdin(), path, context.signal, maxInputBytes);
      return putFile(context, backend, input.location, path, size);
    });
  } finally {
    await backend.close();
  }
}

async function putFile(
  context: Context,
  target: Target,
  location: Location,
  path: string,
  size: number,
): Promise<BlobReport> {
  const digest: Digest = `sha256:${await context.hash.file(path, "sha256", context.signal)}`;
  const descriptor: Descriptor = { mediaType: "application/octet-stream", digest, size };
  const writing = await target.begin(context);
  try {
    await writing.write({ kind: "blob", descriptor }, async () => fileContent(path, size));
    await writing.commit([]);
  } catch (error) {
    await writing.abort({ keepPartial: false });
    throw error;
  }
  return { status: "ok", reference: formatReference({ location, digest }), digest, size };
}

async function withBlob<T>(
  context: Context,
  reference: Reference,
  body: (store: Store, descriptor: Descriptor, report: BlobReport) => Promise<T>,
): Promise<T> {
  const name = formatReference(reference);
  const { digest } = reference;
  if (digest === undefined) {
    throw new UsageError(`Cannot read blob ${name}: a blob is named by its digest`, {
      hint: 'Write it as "PLACE@DIGEST"',
    });
  }
  const store = await openSource(context, reference.location);
  try {
    const descriptor = await store.stat("blob", digest, context);
    if (descriptor === undefined) throw new NotFoundError(`Cannot find blob ${name}: it is not there`);
    const report: BlobReport = { status: "ok", reference: name, digest, size: descriptor.size };
    return await body(store, descriptor, report);
  } finally {
    await store.close();
  }
}
