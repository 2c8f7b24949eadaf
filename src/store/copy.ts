import type { Content, Io } from "../core/content.ts";
import { isLibraryError, LibraryError } from "../core/error.ts";
import type { Digest } from "../oci/digest.ts";
import { type CommitEntry, compareNodes, type Outcome, type Step, type Target, type Writing } from "./backend.ts";
import { observe } from "./copy-progress.ts";
import { limiter } from "./limit.ts";
import { bytesContent, collect } from "./store.ts";

/** What a copy makes visible, and how much moves at a time. */
export interface CopyOptions {
  /** What the commit makes visible. */
  readonly entries: readonly CommitEntry[];
  /** Nodes that move at a time; default 16. */
  readonly concurrency?: number;
}

/** What a copy did. */
export interface CopyReport {
  /** Nodes by outcome; their sum is the number of nodes of the plan. */
  readonly outcomes: Readonly<Record<Outcome, number>>;
  /** Bytes of the nodes that were sent. */
  readonly bytesSent: number;
}

/** Small enough to be held in memory while an archive is written in order. */
const smallBytes = 1024 * 1024;

/**
 * Moves the nodes of a plan into a target and makes `entries` visible: after it resolves, everything the plan named is
 * there, whole and durable. A manifest is written when what it needs has been written. On failure nothing becomes
 * visible; the first error is thrown, except that blobs which the source lacks are named all in one `blob-missing`.
 */
export async function copy(plan: AsyncIterable<Step>, to: Target, options: CopyOptions, io: Io): Promise<CopyReport> {
  const stop = new AbortController();
  const inner: Io = { signal: AbortSignal.any([io.signal, stop.signal]), emit: (event) => io.emit(event) };
  const run = new Copy(inner, options.concurrency ?? 16);
  const sorted = to.order === "sorted" ? (await gather(plan)).sort(compareNodes) : undefined;
  const writing = await to.begin(inner, sorted);
  try {
    await (sorted ? run.inOrder(sorted, writing) : run.asReady(plan, writing, stop));
    run.refuseMissing(to.name);
    inner.signal.throwIfAborted();
    await writing.commit(options.entries);
  } catch (error) {
    stop.abort(error);
    await writing.abort({ keepPartial: false }).catch((failure: unknown) => {
      // What went wrong first is what is told
      const reason = failure instanceof Error ? failure.message : String(failure);
      io.emit({ kind: "debug", message: `Cannot clean up ${to.name}: ${reason}` });
    });
    throw io.signal.aborted ? io.signal.reason : error;
  }
  return run.report();
}

class Copy {
  readonly #io: Io;
  readonly #limit: ReturnType<typeof limiter>;
  readonly #concurrency: number;
  readonly #outcomes: Record<Outcome, number> = { present: 0, mounted: 0, linked: 0, sent: 0 };
  readonly #missing = new Map<Digest, string>();
  #bytesSent = 0;

  constructor(io: Io, concurrency: number) {
    this.#io = io;
    this.#concurrency = concurrency;
    this.#limit = limiter(concurrency);
  }

  /** Writes each node as soon as what it needs is there; a node that waits holds no slot. */
  async asReady(plan: AsyncIterable<Step>, writing: Writing, stop: AbortController): Promise<void> {
    const done = new Map<Digest, Promise<boolean>>();
    let failure: { readonly error: unknown } | undefined;
    const fail = (error: unknown): void => {
      failure ??= { error };
      stop.abort(error);
    };
    try {
      for await (const step of plan) {
        if (failure || done.has(step.descriptor.digest)) continue;
        const needs = step.needs.flatMap((digest) => done.get(digest) ?? []);
        const writes = (async () => {
          const ready = await Promise.all(needs);
          if (!ready.every(Boolean) || failure) return false;
          return this.#limit(() => this.#write(step, writing, () => step.source.open(step, this.#io)));
        })().catch((error: unknown) => {
          fail(error);
          return false;
        });
        done.set(step.descriptor.digest, writes);
      }
    } catch (error) {
      fail(error);
    }
    await Promise.all(done.values());
    if (failure) throw failure.error;
  }

  /** Writes the nodes one by one in their order, with the small ones read ahead. */
  async inOrder(steps: readonly Step[], writing: Writing): Promise<void> {
    const ahead: Promise<Content | undefined>[] = [];
    let next = 0;
    for (const step of steps) {
      while (next < steps.length && ahead.length < this.#concurrency) ahead.push(this.#readAhead(steps[next++]));
      const early = ahead.shift();
      await this.#write(step, writing, async () => (await early) ?? step.source.open(step, this.#io));
    }
  }

  async #readAhead(step: Step | undefined): Promise<Content | undefined> {
    if (step === undefined || step.descriptor.size > smallBytes) return undefined;
    try {
      const content = await step.source.open(step, this.#io);
      return bytesContent(await collect(await content.stream(), smallBytes, step.descriptor.digest));
    } catch {
      return undefined; // Read again in its turn, where a failure is told
    }
  }

  async #write(step: Step, writing: Writing, open: () => Promise<Content>): Promise<boolean> {
    const { digest, size, mediaType } = step.descriptor;
    this.#io.signal.throwIfAborted();
    this.#io.emit({ kind: "node", state: "started", digest, size, mediaType });
    try {
      const opened = async () => observe(await open(), digest, this.#io);
      const outcome = await writing.write(step, opened, { mountFrom: step.source.location });
      this.#outcomes[outcome]++;
      if (outcome === "sent") this.#bytesSent += size;
      this.#io.emit({ kind: "node", state: "finished", digest, size, mediaType, outcome });
      return true;
    } catch (error) {
      this.#io.emit({ kind: "node", state: "failed", digest, size, mediaType });
      if (!isLibraryError(error, "blob-missing")) throw error;
      this.#missing.set(digest, step.source.name);
      return false;
    }
  }

  refuseMissing(target: string): void {
    if (this.#missing.size === 0) return;
    const [first, name] = [...this.#missing][0] ?? [];
    const digests = [...this.#missing.keys()].sort();
    const message =
      digests.length === 1
        ? `Cannot copy to ${target}: ${name} lacks ${first}`
        : `Cannot copy to ${target}: ${name} lacks ${digests.length} blobs: ${digests.join(", ")}`;
    throw new LibraryError("blob-missing", message, {
      hint: "The source is sparse or an increment: copy first from a place that has these blobs",
    });
  }

  report(): CopyReport {
    return { outcomes: { ...this.#outcomes }, bytesSent: this.#bytesSent };
  }
}

/** All steps, each digest once. */
async function gather(plan: AsyncIterable<Step>): Promise<Step[]> {
  const steps = new Map<Digest, Step>();
  for await (const step of plan) if (!steps.has(step.descriptor.digest)) steps.set(step.descriptor.digest, step);
  return [...steps.values()];
}
