import { once } from "node:events";
import { createReadStream, type ReadStream } from "node:fs";
import * as http from "node:http";
import * as https from "node:https";
import { pipeline } from "node:stream/promises";
import { isLibraryError, LibraryError } from "../core/error.ts";
import type { RunningServer, ServeOptions, ServerRequest, ServerResponse } from "../core/ports.ts";

/** Milliseconds in which a client must send the head of a request, and after which a silent connection is ended. */
const headTimeoutMs = 60_000;
const idleTimeoutMs = 300_000;
/** Bytes of a body that nobody asked for that are still read so that the connection can stay. */
const drainLimit = 64 << 20;

/**
 * Serves over node:http(s), which in both runtimes keeps the Content-Length of streamed bodies and of HEAD, and bounds
 * no body. A handler that throws is answered with 500; a body that breaks off ends its connection, so that the client
 * sees that it is short; `onFailure` hears of both. `tls` holds PEM text.
 */
export async function serve(options: ServeOptions): Promise<RunningServer> {
  const settings = {
    requestTimeout: 0,
    headersTimeout: headTimeoutMs,
    keepAliveTimeout: 75_000,
    connectionsCheckingInterval: 5_000,
  };
  const busy = new Set<http.ServerResponse>();
  let idle = () => {};
  const listener = (incoming: http.IncomingMessage, outgoing: http.ServerResponse) => {
    busy.add(outgoing);
    outgoing.once("close", () => {
      busy.delete(outgoing);
      if (busy.size === 0) idle();
    });
    void answer(incoming, outgoing, options);
  };
  const server = options.tls
    ? https.createServer({ ...settings, ...options.tls }, listener)
    : http.createServer(settings, listener);
  server.timeout = idleTimeoutMs;
  const port = await listen(server, options);
  const host = options.hostname.includes(":") ? `[${options.hostname}]` : options.hostname;

  return {
    url: `${options.tls ? "https" : "http"}://${host}:${port}`,
    port,
    async stop(graceMs = 5_000) {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      if (busy.size > 0 && graceMs > 0) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, graceMs);
          idle = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
      server.closeAllConnections();
      await closed;
    },
  };
}

function listen(server: http.Server, { hostname, port }: ServeOptions): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => {
      const state = listenStates.get(cause.code ?? "") ?? "the address cannot be had";
      reject(
        new LibraryError("io-error", `Cannot listen on ${hostname}:${port}: ${state}`, {
          cause,
          hint: "Pass another --address, as 127.0.0.1:0 for any free port",
        }),
      );
    });
    server.listen({ host: hostname, port }, () => {
      const address = server.address();
      resolve(typeof address === "object" && address ? address.port : port);
    });
  });
}

const listenStates: ReadonlyMap<string, string> = new Map([
  ["EADDRINUSE", "the port is in use"],
  ["EACCES", "the port needs more rights"],
  ["EADDRNOTAVAIL", "the address is not one of this machine"],
]);

async function answer(
  incoming: http.IncomingMessage,
  outgoing: http.ServerResponse,
  { handler, onFailure }: ServeOptions,
): Promise<void> {
  const gone = new AbortController();
  outgoing.on("close", () => {
    if (!outgoing.writableFinished)
      gone.abort(new LibraryError("network-error", "Cannot answer: the client went away"));
  });
  // Told by the body's reader and by the signal
  incoming.on("error", () => {});
  outgoing.on("error", () => {});
  const request = requestFrom(incoming, gone.signal);
  let response: ServerResponse;
  try {
    response = await handler(request);
  } catch (error) {
    if (!gone.signal.aborted) onFailure?.(error, request);
    // Nothing of the inside is named to a client
    response = { status: 500, headers: {} };
  }
  try {
    await write(response, incoming, outgoing);
    if (!incoming.complete) drain(incoming);
  } catch (error) {
    if (outgoing.headersSent) {
      incoming.destroy();
      outgoing.destroy();
    } else outgoing.writeHead(500, { "content-length": "0", connection: "close" }).end();
    if (!isGone(error)) onFailure?.(error, request);
  }
}

/** Whether writing failed because the client went away. The signal does not tell: a body that fails ends the connection. */
function isGone(error: unknown): boolean {
  if (isLibraryError(error)) return error.code === "network-error";
  return error instanceof Error && "code" in error && goneCodes.has(error.code);
}

const goneCodes: ReadonlySet<unknown> = new Set([
  "ABORT_ERR",
  "ECONNABORTED",
  "ECONNRESET",
  "EPIPE",
  "ERR_STREAM_DESTROYED",
  "ERR_STREAM_PREMATURE_CLOSE",
  "ERR_STREAM_UNABLE_TO_PIPE",
  "ERR_STREAM_WRITE_AFTER_END",
]);

function requestFrom(incoming: http.IncomingMessage, signal: AbortSignal): ServerRequest {
  const headers = new Headers();
  for (let at = 0; at + 1 < incoming.rawHeaders.length; at += 2) {
    headers.append(incoming.rawHeaders[at] ?? "", incoming.rawHeaders[at + 1] ?? "");
  }
  return {
    method: incoming.method ?? "GET",
    target: incoming.url ?? "/",
    headers,
    remoteAddress: incoming.socket.remoteAddress ?? "",
    signal,
    body: () => bodyOf(incoming),
  };
}

function bodyOf(incoming: http.IncomingMessage): ReadableStream<Uint8Array> {
  // Not destroyed with the iterator: the answer still goes over the same socket
  const iterator = incoming.iterator({ destroyOnReturn: false });
  return new ReadableStream(
    {
      async pull(controller) {
        let next: IteratorResult<unknown>;
        try {
          next = await iterator.next();
        } catch (cause) {
          throw new LibraryError("network-error", "Cannot read the request: the client went away", { cause });
        }
        if (!next.done)
          controller.enqueue(next.value instanceof Uint8Array ? next.value : Buffer.from(String(next.value)));
        else if (incoming.complete) controller.close();
        else throw new LibraryError("network-error", "Cannot read the request: the client went away");
      },
      async cancel() {
        await iterator.return?.();
      },
    },
    { highWaterMark: 0 },
  );
}

async function write(
  response: ServerResponse,
  incoming: http.IncomingMessage,
  outgoing: http.ServerResponse,
): Promise<void> {
  const { body } = response;
  const headers: http.OutgoingHttpHeaders = {};
  for (const [name, value] of Object.entries(response.headers)) {
    headers[name.toLowerCase()] = typeof value === "string" ? value : [...value];
  }
  const size = body === undefined ? undefined : body instanceof Uint8Array ? body.byteLength : body.length;
  if (size !== undefined) headers["content-length"] = String(size);
  else if (incoming.method !== "HEAD" && ![204, 304].includes(response.status)) headers["content-length"] = "0";
  const file = incoming.method === "HEAD" ? undefined : await openFile(body);
  outgoing.writeHead(response.status, headers);
  if (incoming.method === "HEAD" || body === undefined) outgoing.end();
  else if (body instanceof Uint8Array) outgoing.end(body);
  else if (body.length === 0) outgoing.end();
  else if (file !== undefined) {
    // Bun 1.4.5 ends a response that is destroyed before its head went out as a whole one without a length
    outgoing.flushHeaders();
    await pipeline(file, outgoing, { end: false });
    if (file.bytesRead < body.length) throw tooShort(file.bytesRead, body.length);
    outgoing.end();
  } else await writeStream(await body.content.stream(body.offset), body.length, outgoing);
}

/** The file that a body is sent from, open, so that one that cannot be opened is still answered with 500. */
async function openFile(body: ServerResponse["body"]): Promise<ReadStream | undefined> {
  if (body === undefined || body instanceof Uint8Array || body.length === 0) return undefined;
  if (body.content.file === undefined) return undefined;
  const end = body.offset + body.length - 1;
  const file = createReadStream(body.content.file, { start: body.offset, end, highWaterMark: 1 << 20 });
  await once(file, "open");
  return file;
}

async function writeStream(
  stream: ReadableStream<Uint8Array>,
  length: number,
  outgoing: http.ServerResponse,
): Promise<void> {
  const reader = stream.getReader();
  let left = length;
  try {
    while (left > 0) {
      const { done, value } = await reader.read();
      if (done) throw tooShort(length - left, length);
      const fits = value.byteLength <= left ? value : value.subarray(0, left);
      left -= fits.byteLength;
      if (!outgoing.write(fits)) await drained(outgoing);
    }
    outgoing.end();
  } finally {
    await reader.cancel().catch(() => {});
  }
}

function tooShort(found: number, expected: number): LibraryError {
  return new LibraryError("size-mismatch", `Cannot answer: ${found} bytes, expected ${expected}`);
}

function drained(outgoing: http.ServerResponse): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = () => {
      outgoing.off("drain", settle);
      outgoing.off("close", settle);
      if (outgoing.destroyed) reject(new LibraryError("network-error", "Cannot answer: the client went away"));
      else resolve();
    };
    if (outgoing.destroyed) return settle();
    outgoing.once("drain", settle);
    outgoing.once("close", settle);
  });
}

/** Reads what is left of a body, within bounds, so that a client that sends it all sees the answer. */
function drain(incoming: http.IncomingMessage): void {
  let drained = 0;
  incoming.on("data", (chunk: Uint8Array) => {
    drained += chunk.byteLength;
    if (drained > drainLimit) incoming.destroy();
  });
  incoming.resume();
}
