import { join } from "node:path";
import type { Http, HttpRequest, HttpResponse } from "../../src/core/ports.ts";
import type { Credential } from "../../src/registry/credential.ts";
import type { RetrySettings } from "../../src/registry/retry.ts";
import { createRegistrySession, type RegistrySession, type SessionParts } from "../../src/registry/session.ts";
import { makeRuntime } from "../../src/runtime/mod.ts";
import { collect } from "../../src/store/store.ts";

/** What a test says of the session; the rest is plain: no credentials, waits that take no time. */
export interface SessionChoices extends Partial<SessionParts> {
  readonly credential?: Credential;
  readonly retry?: Partial<RetrySettings>;
  /** Milliseconds that were to be waited, in order. */
  readonly waits?: number[];
}

/** The parts of a session: real HTTP unless `choices` has another, nothing of this machine's configuration. */
export function sessionParts(choices: SessionChoices = {}): SessionParts {
  const network = {
    plainHttp: false,
    insecureRegistries: [],
    caFiles: [],
    authFile: undefined,
    concurrency: 16,
    ...choices.network,
  };
  const home = "/nonexistent/home";
  const runtime = makeRuntime({ network, env: {}, signal: new AbortController().signal });
  return {
    http: choices.http ?? runtime.http,
    run:
      choices.run ??
      (async () => {
        throw new Error("the test gave no program");
      }),
    random: choices.random ?? { hex: (bytes) => "0".repeat(bytes * 2), fraction: () => 0.5 },
    state: choices.state ?? {
      home,
      config: join(home, "config"),
      cache: join(home, "cache"),
      state: join(home, "state"),
    },
    network,
    env: choices.env ?? {},
    now: choices.now ?? (() => new Date()),
    sleep: choices.sleep ?? (async (milliseconds) => void choices.waits?.push(milliseconds)),
  };
}

/** A session for a test; with `credential`, that is what every registry is shown that asks. */
export function testSession(choices: SessionChoices = {}): RegistrySession {
  const { credential } = choices;
  return createRegistrySession(sessionParts(choices), {
    ...(credential ? { credentials: { find: async () => credential } } : {}),
    retry: {
      attempts: 4,
      firstWaitMs: 100,
      longestWaitMs: 1000,
      longestRetryAfterMs: 60_000,
      ...choices.retry,
    },
  });
}

/** A request as a fake server sees it. */
export interface FakeRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: Headers;
  readonly body: Uint8Array;
}

export interface FakeResponse {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
  /** The connection breaks after this many bytes of the body. */
  readonly cutAfter?: number;
}

/** An Http that answers by a function; a thrown error is what `send` rejects with. */
export function fakeHttp(
  answer: (request: FakeRequest, number: number) => FakeResponse | Promise<FakeResponse>,
  cut: () => Error = () => new Error("the test's connection was cut"),
): Http & { readonly requests: FakeRequest[] } {
  const requests: FakeRequest[] = [];
  return {
    requests,
    async send(request) {
      request.signal.throwIfAborted();
      const seen = {
        method: request.method,
        url: request.url,
        headers: new Headers(request.headers),
        body: await bodyOf(request),
      };
      requests.push(seen);
      return respond(request.method, await answer(seen, requests.length), cut);
    },
    async close() {},
  };
}

async function bodyOf({ body }: HttpRequest): Promise<Uint8Array> {
  if (body === undefined) return new Uint8Array(0);
  if (body instanceof Uint8Array) return body;
  const { content, offset = 0, length } = body;
  const bytes = await collect(await content.stream(offset), 64 * 1024 * 1024, "a request");
  return length === undefined ? bytes : bytes.subarray(0, length);
}

function respond(method: string, answer: FakeResponse, cut: () => Error): HttpResponse {
  const whole = typeof answer.body === "string" ? new TextEncoder().encode(answer.body) : answer.body;
  const bytes = method === "HEAD" || whole === undefined ? new Uint8Array(0) : whole;
  const sent = answer.cutAfter === undefined ? bytes : bytes.subarray(0, answer.cutAfter);
  const headers = new Headers(answer.headers);
  const stream = () =>
    new ReadableStream<Uint8Array>({
      pull(controller) {
        if (sent.byteLength > 0 && !started) {
          started = true;
          controller.enqueue(sent);
        } else if (answer.cutAfter === undefined) controller.close();
        else controller.error(cut());
      },
    });
  let started = false;
  return {
    status: answer.status,
    headers,
    body: {
      size: headers.has("content-length") ? Number(headers.get("content-length")) : bytes.byteLength,
      bytes: async (limit) => collect(stream(), limit, "a response"),
      stream,
      saveTo: async (path, offset) => {
        const { appendFile } = await import("node:fs/promises");
        await appendFile(path, sent);
        if (answer.cutAfter !== undefined) throw cut();
        return offset < 0 ? 0 : sent.byteLength;
      },
      cancel: async () => {},
    },
  };
}
