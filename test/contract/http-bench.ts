import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Content } from "../../src/core/content.ts";
import { isLibraryError } from "../../src/core/error.ts";
import type { ErrorCode } from "../../src/core/error-codes.ts";
import type { Http, HttpRequest, HttpResponse } from "../../src/core/ports.ts";
import type { HttpSettings } from "../../src/runtime/http-settings.ts";
import type { Certificate } from "../support/certificate.ts";
import { type Answer, type RawServer, rawServer } from "../support/raw-server.ts";

/** What one case works with; all of it is gone after the case. */
export interface HttpBench {
  readonly folder: string;
  /** A client, closed after the case. */
  client(settings?: Partial<HttpSettings["network"]>, env?: HttpSettings["env"]): Http;
  /** A server, stopped after the case. */
  server(answer: Answer, certificate?: Certificate): Promise<RawServer>;
}

/** By name: what every implementation of the Http port must do; runs under any runner and runtime. */
export type HttpCases = Readonly<Record<string, (bench: HttpBench) => Promise<void>>>;

/** Runs one case over clients of `make`. */
export async function runHttpCase(body: HttpCases[string], make: (settings: HttpSettings) => Http): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "library-http-"));
  const clients: Http[] = [];
  const servers: RawServer[] = [];
  try {
    await body({
      folder,
      client(settings = {}, env = {}) {
        const client = make({ network: { insecureRegistries: [], caFiles: [], ...settings }, env });
        clients.push(client);
        return client;
      },
      async server(answer, certificate) {
        const server = await rawServer(answer, certificate);
        servers.push(server);
        return server;
      },
    });
  } finally {
    for (const client of clients) await client.close();
    for (const server of servers) await server.stop();
    rmSync(folder, { recursive: true });
  }
}

/** Sends a request that is GET without headers and never aborts, unless `changes` say otherwise. */
export function send(http: Http, url: string, changes: Partial<HttpRequest> = {}): Promise<HttpResponse> {
  const signal = new AbortController().signal;
  return http.send({ method: "GET", url: new URL(url), headers: {}, signal, ...changes });
}

/** Fails unless `promise` rejects with a LibraryError of this code; resolves to it. */
export async function rejectsWith(
  promise: Promise<unknown>,
  code: ErrorCode,
): Promise<Error & { hint?: string | undefined }> {
  const outcome = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  assert.ok(isLibraryError(outcome), `expected ${code}, got ${String(outcome)}`);
  assert.equal(outcome.code, code, outcome.message);
  return outcome;
}

/** A Content of chunks that are made as they are asked for, without a file. */
export function contentOf(chunks: () => Iterable<Uint8Array> | AsyncIterable<Uint8Array>, size: number): Content {
  return {
    size,
    async stream() {
      const made = chunks();
      const iterator = Symbol.asyncIterator in made ? made[Symbol.asyncIterator]() : made[Symbol.iterator]();
      return new ReadableStream<Uint8Array>(
        {
          async pull(controller) {
            const { done, value } = await iterator.next();
            if (done) controller.close();
            else controller.enqueue(value);
          },
          cancel: () => void iterator.return?.(),
        },
        { highWaterMark: 0 },
      );
    },
  };
}

/** Resolves once `value` has not changed for some 50 turns of the loop and of the network. */
export async function steady(value: () => number): Promise<void> {
  for (let before = -1, same = 0; same < 50; ) {
    await new Promise((resolve) => setTimeout(resolve, 2));
    const now = value();
    same = now === before ? same + 1 : 0;
    before = now;
  }
}
