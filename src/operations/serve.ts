import { mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { dirname, isAbsolute, join } from "node:path";
import type { Context } from "../core/context.ts";
import { replaceFile } from "../core/durable-file.ts";
import { UsageError } from "../core/error.ts";
import type { RunningServer, ServeOptions, ServerRequest } from "../core/ports.ts";
import type { Report } from "../core/report.ts";
import { createRegistry } from "../server/registry.ts";
import { errorCode, fileError, namingFile } from "../store/file-error.ts";

/** What `serve` takes; paths are relative to the context's cwd. */
export interface ServeInput {
  readonly root: string;
  /** `host:port`; port 0 takes a free one. */
  readonly address: { readonly hostname: string; readonly port: number };
  readonly readOnly: boolean;
  readonly htpasswd?: string | undefined;
  readonly tlsCert?: string | undefined;
  readonly tlsKey?: string | undefined;
  /** Gets the URL and a line end when the registry listens, and is whole as soon as it is there. */
  readonly addressFile?: string | undefined;
}

/** A registry that served until it was told to stop. */
export interface ServeReport extends Report {
  readonly status: "ok";
  /** As `http://127.0.0.1:5000`. */
  readonly url: string;
  readonly root: string;
}

/** How long requests that are under way may take to end when the registry stops. */
const graceMs = 5_000;

/**
 * Serves the layouts below `root` (made if it is missing) as a registry until the context's signal aborts; a `step`
 * event whose name has the URL says that it listens (a finished one: nothing is left to wait for). Throws `usage` for TLS options that do not go together, `invalid-input`
 * for an htpasswd file that cannot be used, `io-error` where the address or a file cannot be had.
 */
export async function serve(context: Context, input: ServeInput): Promise<ServeReport> {
  const root = absolute(context, input.root);
  const tls = await readTls(context, input);
  const htpasswd = input.htpasswd === undefined ? undefined : await readText(context, input.htpasswd);
  await prepareRoot(root, input.readOnly);
  const registry = createRegistry(root, context, {
    readOnly: input.readOnly,
    ...(htpasswd === undefined ? {} : { htpasswd }),
  });
  const options: ServeOptions = { ...input.address, handler: told(context, registry), ...(tls ? { tls } : {}) };
  const server = await context.serve({
    ...options,
    onFailure: (error, request) => tellFailure(context, error, request),
  });
  try {
    if (input.addressFile !== undefined) await writeAddress(context, absolute(context, input.addressFile), server);
    context.emit({ kind: "step", state: "finished", name: `Serving ${root} at ${server.url}` });
    warnOfStrangers(context, input, server.url);
    await aborted(context.signal);
  } finally {
    await server.stop(graceMs);
  }
  return { status: "ok", url: server.url, root };
}

/** The handler, which tells each request and its status as a `debug` event. */
function told(context: Context, handler: ServeOptions["handler"]): ServeOptions["handler"] {
  return async (request) => {
    const response = await handler(request);
    context.emit({ kind: "debug", message: `${request.method} ${request.target} ${response.status}` });
    return response;
  };
}

/** Says what others than this machine's users can do, where they can reach the registry. */
function warnOfStrangers(context: Context, input: ServeInput, url: string): void {
  if (isLoopback(input.address.hostname)) return;
  if (input.htpasswd === undefined) {
    const what = input.readOnly ? "read all of it" : "read and change all of it";
    const message = `Whoever reaches ${url} may ${what}: give --htpasswd`;
    context.emit({ kind: "warning", code: "no-authentication", message });
  }
  if (input.tlsCert === undefined) {
    const what = input.htpasswd === undefined ? "Images travel" : "Passwords and images travel";
    const code = input.htpasswd === undefined ? "plain-text" : "plain-text-credentials";
    context.emit({ kind: "warning", code, message: `${what} in plain text: give --tls-cert and --tls-key` });
  }
}

/** As a warning that names the request without its query, which may hold what is secret. */
function tellFailure(context: Context, error: unknown, request: ServerRequest): void {
  const path = request.target.split("?", 1)[0] ?? "";
  const problem = error instanceof Error ? error.message : "an unknown failure";
  context.emit({ kind: "warning", code: "request-failed", message: `${request.method} ${path}: ${problem}` });
}

function absolute(context: Context, path: string): string {
  return isAbsolute(path) ? path : join(context.cwd, path);
}

async function readTls(context: Context, { tlsCert, tlsKey }: ServeInput): Promise<ServeOptions["tls"]> {
  if (tlsCert === undefined && tlsKey === undefined) return undefined;
  if (tlsCert === undefined || tlsKey === undefined) {
    throw new UsageError("Cannot serve over TLS: only one of --tls-cert and --tls-key is given", {
      hint: "Give both, as PEM files",
    });
  }
  return { cert: (await readText(context, tlsCert)).text, key: (await readText(context, tlsKey)).text };
}

async function readText(context: Context, path: string): Promise<{ readonly file: string; readonly text: string }> {
  return { file: path, text: await namingFile("read", path, () => readFile(absolute(context, path), "utf8")) };
}

async function prepareRoot(root: string, readOnly: boolean): Promise<void> {
  try {
    if (!readOnly) await mkdir(root, { recursive: true });
    if ((await stat(root)).isDirectory()) return;
  } catch (cause) {
    if (errorCode(cause) !== "EEXIST") throw fileError("serve", root, cause);
  }
  throw new UsageError(`Cannot serve ${root}: not a folder`, { hint: "Give a folder with --root" });
}

async function writeAddress(context: Context, path: string, server: RunningServer): Promise<void> {
  await namingFile("write", path, async () => {
    await mkdir(dirname(path), { recursive: true });
    await replaceFile(path, context.random, (temporary) => writeFile(temporary, `${server.url}\n`));
  });
}

function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname === "::1" || /^127\./.test(hostname);
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
