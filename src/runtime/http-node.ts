import * as http from "node:http";
import * as https from "node:https";
import { createSecureContext } from "node:tls";
import type { Http, HttpRequest, HttpResponse } from "../core/ports.ts";
import { httpBody } from "./http-body.ts";
import { httpFailure, idleFailure } from "./http-failure.ts";
import {
  defaultIdleTimeoutMs,
  type HttpSettings,
  isUnchecked,
  maxConnections,
  requestHeaders,
} from "./http-settings.ts";
import { fileStream, prepareUpload, type Upload } from "./http-upload.ts";
import { type IdleTimer, idleTimer } from "./idle-timer.ts";
import { trustedRoots } from "./tls-roots.ts";

/** HTTP by node:http(s), in every runtime: all of the port, proxies of the environment included. */
export function makeNodeHttp(settings: HttpSettings): Http {
  const agents = new Map<string, Promise<http.Agent>>();

  return {
    async send(request) {
      request.signal.throwIfAborted();
      const upload = await prepareUpload(request);
      const agent = await agentFor(request.url);
      request.signal.throwIfAborted();
      return exchange(request, upload, agent);
    },
    async close() {
      for (const agent of agents.values()) (await agent).destroy();
      agents.clear();
    },
  };

  function agentFor(url: URL): Promise<http.Agent> {
    const kind = url.protocol === "http:" ? "plain" : isUnchecked(url, settings) ? "unchecked" : "checked";
    let agent = agents.get(kind);
    if (!agent) {
      agent = makeAgent(kind);
      agents.set(kind, agent);
      // A CA file that could not be read may be there for the next request
      agent.catch(() => agents.delete(kind));
    }
    return agent;
  }

  async function makeAgent(kind: "plain" | "unchecked" | "checked"): Promise<http.Agent> {
    const options = { keepAlive: true, maxSockets: maxConnections, proxyEnv: { ...settings.env } };
    if (kind === "plain") return new http.Agent(options);
    if (kind === "unchecked") return new https.Agent({ ...options, rejectUnauthorized: false });
    const ca = [...(await trustedRoots(settings.env, settings.network.caFiles))];
    // One context for all connections: reading some hundred certificates takes longer than a handshake
    return new https.Agent({ ...options, secureContext: createSecureContext({ ca }) });
  }
}

function exchange(request: HttpRequest, upload: Upload, agent: http.Agent): Promise<HttpResponse> {
  const { url, signal } = request;
  const idleTimeoutMs = request.idleTimeoutMs ?? defaultIdleTimeoutMs;
  const { promise, resolve, reject } = Promise.withResolvers<HttpResponse>();
  const sent = (url.protocol === "https:" ? https : http).request(url, {
    method: request.method,
    headers: headersFor(request, upload),
    agent,
  });
  /** Why the exchange was ended from this side; goes before what the socket says of it. */
  const ended: { reason?: { readonly error: unknown } } = {};
  const fail = (error: unknown) => {
    ended.reason ??= { error };
    sent.destroy();
    reject(ended.reason.error);
  };
  const explain = (error: unknown) => (ended.reason ? ended.reason.error : httpFailure(error, url));
  const idle = idleTimer(idleTimeoutMs, () => fail(idleFailure(url, idleTimeoutMs)));
  const onAbort = () => fail(signal.reason);
  const settle = () => {
    idle.stop();
    signal.removeEventListener("abort", onAbort);
  };
  signal.addEventListener("abort", onAbort, { once: true });

  let uploading = true;
  sent.on("error", (error) => {
    settle();
    reject(explain(error));
  });
  sent.on("close", () => {
    settle();
    reject(explain(new Error("closed before the response")));
  });
  sent.on("response", (response) => {
    idle.stop();
    resolve({
      status: response.statusCode ?? 0,
      headers: headersOf(response.rawHeaders),
      body: httpBody(bodyOf(response)),
    });
  });
  idle.start();
  pump(upload, sent, idle).then(
    () => {
      uploading = false;
    },
    (error) => fail(error),
  );
  return promise;

  function bodyOf(response: http.IncomingMessage) {
    const size = contentLength(response.headers["content-length"]);
    const bodiless = request.method === "HEAD" || response.statusCode === 204 || response.statusCode === 304;
    const iterator = response[Symbol.asyncIterator]();
    // Read by nobody yet: an error now is told by the next read
    response.on("error", () => {});
    return {
      url,
      size,
      expected: bodiless ? 0 : size,
      async next() {
        signal.throwIfAborted();
        throwIfEnded();
        idle.start();
        try {
          const { done, value } = await iterator.next();
          if (!done) return value instanceof Uint8Array ? value : Buffer.from(value);
          // Destroyed from this side while it was waited for: some streams then end instead of failing
          throwIfEnded();
          finish();
          return undefined;
        } catch (error) {
          finish();
          throw explain(error);
        } finally {
          idle.stop();
        }
      },
      async end() {
        settle();
        // A short rest is read so that the connection can be used again
        if (!uploading && size !== undefined && size <= 64 << 10) response.resume();
        else sent.destroy();
      },
    };
  }

  function throwIfEnded(): void {
    if (ended.reason) throw ended.reason.error;
  }

  function finish(): void {
    settle();
    // An early answer: the server may never read the rest of what this side sends
    if (uploading) sent.destroy();
  }
}

/** Sends the body and ends the request; stops without an error where the exchange is over before. */
async function pump(upload: Upload, sent: http.ClientRequest, idle: IdleTimer): Promise<void> {
  if (upload.kind === "none" || upload.kind === "bytes") {
    if (upload.kind === "bytes") sent.end(upload.bytes);
    else sent.end();
    return;
  }
  const source = upload.kind === "file" ? fileStream(upload.path, upload.offset, upload.size) : await upload.open();
  const reader = source.getReader();
  let over = false;
  let wake = () => {};
  const onOver = () => {
    over = true;
    wake();
  };
  sent.on("close", onOver);
  sent.on("error", onOver);
  sent.on("response", onOver);
  sent.on("drain", () => wake());
  try {
    for (;;) {
      // While the source is waited for, the network has nothing to do
      idle.stop();
      const { done, value } = await reader.read();
      if (over) {
        await reader.cancel();
        return;
      }
      idle.start();
      if (done) {
        sent.end();
        return;
      }
      if (!sent.write(value) && !over) await new Promise<void>((resolve) => (wake = resolve));
      if (over) {
        await reader.cancel();
        return;
      }
    }
  } finally {
    reader.releaseLock();
  }
}

function headersFor(request: HttpRequest, upload: Upload): Record<string, string> {
  const headers = requestHeaders(request.headers);
  const size = upload.kind === "none" ? undefined : upload.kind === "bytes" ? upload.bytes.byteLength : upload.size;
  if (size !== undefined && size >= 0) headers["content-length"] = String(size);
  else if (size !== undefined) headers["transfer-encoding"] = "chunked";
  // RFC 9110, 8.6: a method that anticipates content says that there is none
  else if (["POST", "PUT", "PATCH"].includes(request.method)) headers["content-length"] = "0";
  return headers;
}

function headersOf(rawHeaders: readonly string[]): Headers {
  const headers = new Headers();
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    headers.append(rawHeaders[at] ?? "", rawHeaders[at + 1] ?? "");
  }
  return headers;
}

function contentLength(value: string | undefined): number | undefined {
  return value !== undefined && /^\d+$/.test(value) ? Number(value) : undefined;
}
