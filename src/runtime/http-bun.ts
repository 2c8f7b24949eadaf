import { fstatSync } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import type { Http, HttpRequest, HttpResponse } from "../core/ports.ts";
import { httpBody } from "./http-body.ts";
import { httpFailure, idleFailure } from "./http-failure.ts";
import { defaultIdleTimeoutMs, type HttpSettings, isUnchecked, requestHeaders } from "./http-settings.ts";
import { fileStream, prepareUpload, type Upload } from "./http-upload.ts";
import { type IdleTimer, idleTimer } from "./idle-timer.ts";
import { trustedRoots } from "./tls-roots.ts";

/**
 * HTTP by Bun's fetch, without proxies. Over plain http a file is sent by the kernel and a body is saved without
 * passing through JavaScript. While the kernel sends, no progress can be seen: there Bun's own limit of some five
 * minutes without a byte stands for `idleTimeoutMs`.
 */
export function makeBunHttp(settings: HttpSettings): Http {
  let roots: Promise<string[]> | undefined;

  return {
    async send(request) {
      request.signal.throwIfAborted();
      const upload = await prepareUpload(request);
      const tls = request.url.protocol === "https:" ? await tlsFor(request.url) : undefined;
      request.signal.throwIfAborted();
      return exchange(request, upload, tls);
    },
    // Bun keeps one pool for the whole process and ends idle connections by itself
    async close() {},
  };

  async function tlsFor(url: URL): Promise<BunFetchRequestInit["tls"]> {
    if (isUnchecked(url, settings)) return { rejectUnauthorized: false };
    roots ??= trustedRoots(settings.env, settings.network.caFiles).then((list) => [...list]);
    // A CA file that could not be read may be there for the next request
    roots.catch(() => {
      roots = undefined;
    });
    return { ca: await roots };
  }
}

async function exchange(
  request: HttpRequest,
  upload: Upload,
  tls: BunFetchRequestInit["tls"] | undefined,
): Promise<HttpResponse> {
  const { url, signal } = request;
  const idleTimeoutMs = request.idleTimeoutMs ?? defaultIdleTimeoutMs;
  const stop = new AbortController();
  const idle = idleTimer(idleTimeoutMs, () => stop.abort(idleFailure(url, idleTimeoutMs)));
  const onAbort = () => stop.abort(signal.reason);
  const settle = () => {
    idle.stop();
    signal.removeEventListener("abort", onAbort);
  };
  const explain = (error: unknown) => (stop.signal.aborted ? stop.signal.reason : httpFailure(error, url));
  signal.addEventListener("abort", onAbort, { once: true });

  const byKernel = upload.kind === "file" && tls === undefined;
  const sending: Sending = { over: false };
  let response: Response;
  try {
    const body = await bodyFor(upload, byKernel, idle, sending);
    if (!byKernel) idle.start();
    response = await fetch(url, {
      method: request.method,
      headers: headersFor(request, upload),
      redirect: "manual",
      decompress: false,
      signal: stop.signal,
      ...(body === undefined ? {} : { body }),
      ...(tls ? { tls } : {}),
      ...(byKernel ? {} : { timeout: false }),
    });
  } catch (error) {
    settle();
    throw "error" in sending ? sending.error : explain(error);
  } finally {
    sending.over = true;
    idle.stop();
  }
  return { status: response.status, headers: response.headers, body: httpBody(bodyOf(response)) };

  function bodyOf(response: Response) {
    const size = contentLength(response.headers.get("content-length"));
    const bodiless = request.method === "HEAD" || response.status === 204 || response.status === 304;
    const body: ReadableStream<Uint8Array> | null = response.body;
    const open = () => body?.getReader();
    let reader: ReturnType<typeof open>;
    return {
      url,
      size,
      expected: bodiless ? 0 : size,
      async next() {
        signal.throwIfAborted();
        reader ??= open();
        idle.start();
        try {
          const read = await reader?.read();
          if (read && !read.done) return read.value;
          settle();
          return undefined;
        } catch (error) {
          settle();
          throw explain(error);
        } finally {
          idle.stop();
        }
      },
      async end() {
        settle();
        try {
          await (reader ? reader.cancel() : body?.cancel());
        } catch {
          // It had failed already, and whoever read it was told
        }
      },
      async fill(file: FileHandle) {
        const watch = watchGrowth(file, idleTimeoutMs, () => stop.abort(idleFailure(url, idleTimeoutMs)));
        try {
          // Written as it comes; the descriptor stays open
          await Bun.write(Bun.file(file.fd), response);
        } catch (error) {
          throw explain(error);
        } finally {
          clearInterval(watch);
          settle();
        }
      },
    };
  }
}

/** How far a request is. */
interface Sending {
  /** The response is there, or the exchange failed. */
  over: boolean;
  /** Set once the source of the body failed: its own error is the one to tell. */
  error?: unknown;
}

async function bodyFor(
  upload: Upload,
  byKernel: boolean,
  idle: IdleTimer,
  sending: Sending,
): Promise<Uint8Array<ArrayBuffer> | Blob | ReadableStream<Uint8Array> | undefined> {
  if (upload.kind === "none") return undefined;
  // fetch takes no bytes over shared memory, and nobody here makes such
  if (upload.kind === "bytes") return upload.bytes as Uint8Array<ArrayBuffer>;
  if (upload.kind === "stream") return watched(await upload.open(), idle, sending);
  if (byKernel) return Bun.file(upload.path).slice(upload.offset, upload.offset + upload.size);
  // Over TLS, Bun would read the file into memory first
  return watched(fileStream(upload.path, upload.offset, upload.size), idle, sending);
}

/** Stops the timer while the source is waited for, and remembers the source's own failure. */
function watched(source: ReadableStream<Uint8Array>, idle: IdleTimer, sending: Sending): ReadableStream<Uint8Array> {
  const reader = source.getReader();
  return new ReadableStream(
    {
      async pull(controller) {
        idle.stop();
        try {
          const { done, value } = await reader.read();
          if (done) controller.close();
          else controller.enqueue(value);
        } catch (error) {
          sending.error ??= error;
          throw error;
        } finally {
          if (!sending.over) idle.start();
        }
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
}

/** Calls `onIdle` once the file has not grown for `milliseconds`. */
function watchGrowth(file: FileHandle, milliseconds: number, onIdle: () => void): NodeJS.Timeout {
  let size = -1;
  let since = performance.now();
  const look = () => {
    const now = fstatSync(file.fd).size;
    if (now !== size) {
      size = now;
      since = performance.now();
    } else if (performance.now() - since >= milliseconds) onIdle();
  };
  return setInterval(look, Math.min(1000, milliseconds / 4));
}

function headersFor(request: HttpRequest, upload: Upload): Record<string, string> {
  const headers = requestHeaders(request.headers);
  const size = upload.kind === "none" ? undefined : upload.kind === "bytes" ? upload.bytes.byteLength : upload.size;
  if (size !== undefined && size >= 0) headers["content-length"] = String(size);
  return headers;
}

function contentLength(value: string | null): number | undefined {
  return value !== null && /^\d+$/.test(value) ? Number(value) : undefined;
}
