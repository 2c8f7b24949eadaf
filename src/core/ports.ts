import type { Content, Io } from "./content.ts";

/** The algorithms that this program computes: image-spec v1.1.1, "Registered Algorithms". */
export type HashAlgorithm = "sha256" | "sha512";

/** One exchange with an HTTP server: no redirect is followed, nothing is retried, nothing is decoded. */
export interface Http {
  /**
   * Resolves when the response's head is there. Rejects with `network-error` where no response came, with
   * `insecure-refused` for a certificate that is not trusted, and with the signal's reason when it aborts.
   */
  send(request: HttpRequest): Promise<HttpResponse>;
  /** Ends idle connections. */
  close(): Promise<void>;
}

/** One request, complete: nothing is added but what the protocol needs. */
export interface HttpRequest {
  readonly method: string;
  /** http or https, without userinfo. */
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  /** Sent with a Content-Length of its size (from `offset` on where one is given); never chunked unless size is -1. */
  readonly body?: { readonly content: Content; readonly offset?: number; readonly length?: number } | Uint8Array;
  /**
   * Milliseconds without a byte in either direction after which the exchange fails. Default 60,000. While the kernel
   * sends a file nobody sees its progress: there the runtime's own limit stands instead (Bun 1.4.5: some five minutes).
   */
  readonly idleTimeoutMs?: number;
  readonly signal: AbortSignal;
}

/** The head of one response, and the way to its body. */
export interface HttpResponse {
  readonly status: number;
  readonly headers: Headers;
  readonly body: HttpBody;
}

/** The body of one response; it comes once. Exactly one of the methods is called. */
export interface HttpBody {
  /** Content-Length as sent; undefined where there is none. */
  readonly size: number | undefined;
  /** The whole body; fails with `limit-exceeded` as soon as it is longer than `limit` bytes. */
  bytes(limit: number): Promise<Uint8Array>;
  /** Fails with `network-error` where the connection ends before Content-Length. */
  stream(): ReadableStream<Uint8Array>;
  /** Appends the body to the file at `path`, which holds `offset` bytes; resolves to the bytes written. */
  saveTo(path: string, offset: number): Promise<number>;
  /** Discards what is left and frees the connection. */
  cancel(): Promise<void>;
}

/** Computes digests of files beside the main thread. */
export interface Hash {
  /** Lower-case hex of the file's bytes. */
  file(path: string, algorithm: HashAlgorithm, signal: AbortSignal): Promise<string>;
  /** Ends idle workers. */
  close(): Promise<void>;
}

/** Exclusion of processes from each other, freed when the holder dies in whatever way. */
export interface Lock {
  /**
   * Runs `body` while this process alone holds the lock named by the file `path` (made if missing, and left there).
   * Waits up to `timeoutMs` (default 60,000), then fails with `locked`. Not reentrant.
   */
  exclusive<T>(path: string, io: Io, body: () => Promise<T>, timeoutMs?: number): Promise<T>;
}

/** Randomness for names and jitter; not for keys. */
export interface Random {
  /** `bytes` random bytes as lower-case hex. */
  hex(bytes: number): string;
  /** A number in [0, 1), for jitter. */
  fraction(): number;
}

/** A child process that ended. */
export interface RunResult {
  /** Exit status; 128 + signal where a signal ended it. */
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** How a child process is run and how much of it is kept. */
export interface RunOptions {
  readonly cwd?: string;
  /** Added to the environment of this process. */
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string;
  readonly signal: AbortSignal;
  /** Milliseconds after which the child is killed and `tool-failed` thrown. */
  readonly timeoutMs?: number;
  /** Bytes of stdout and of stderr kept, the last ones. Default 1 MiB. */
  readonly limit?: number;
  /** Called with every full line as it comes, without its line end. */
  readonly onStdoutLine?: (line: string) => void;
  readonly onStderrLine?: (line: string) => void;
}

/** Runs an outside program without a shell; fails with `tool-missing` where `argv[0]` is not found. */
export type Run = (argv: readonly [string, ...string[]], options: RunOptions) => Promise<RunResult>;

/** Folders of this program after the XDG base directory specification; not made before they are written to. */
export interface State {
  readonly config: string;
  readonly cache: string;
  readonly state: string;
  /** The user's home directory. */
  readonly home: string;
}

/** The user at a terminal. */
export interface Terminal {
  readonly stdinIsTerminal: boolean;
  readonly stdoutIsTerminal: boolean;
  readonly stderrIsTerminal: boolean;
  /** Columns of stderr; 80 where it is not known. */
  readonly columns: number;
  /** Asks on stderr and reads one line; undefined at the end of input. With `hidden` nothing is echoed. */
  ask(question: string, options?: { readonly hidden?: boolean }): Promise<string | undefined>;
  /** All of stdin, at most `limit` bytes: `limit-exceeded` beyond. */
  readStdin(limit: number): Promise<Uint8Array>;
  /** Standard input as a stream. */
  stdin(): ReadableStream<Uint8Array>;
  /** Writes bytes to stdout and waits until they are taken. */
  writeStdout(bytes: Uint8Array | string): Promise<void>;
}

/** One request to a server of ours. */
export interface ServerRequest {
  readonly method: string;
  /** Path and query as sent, still percent-encoded; starts with "/". */
  readonly target: string;
  readonly headers: Headers;
  readonly remoteAddress: string;
  /** The body; comes once. */
  body(): ReadableStream<Uint8Array>;
  /** Fires when the client goes away. */
  readonly signal: AbortSignal;
}

/** The answer to one request. */
export interface ServerResponse {
  readonly status: number;
  /** A list is sent as one header line a value. */
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  /** Sent with its Content-Length. For HEAD, `content-length` comes from `headers` and there is no body. */
  readonly body?: Uint8Array | { readonly content: Content; readonly offset: number; readonly length: number };
}

/** Where a server listens and what answers. */
export interface ServeOptions {
  readonly hostname: string;
  /** 0 takes a free port. */
  readonly port: number;
  /** PEM text. */
  readonly tls?: { readonly cert: string; readonly key: string };
  readonly handler: (request: ServerRequest) => Promise<ServerResponse>;
  /**
   * Told of every request that the server itself failed to answer, as where a body's file cannot be read: its client
   * sees status 500 or a connection that ends. Not of clients that went away.
   */
  readonly onFailure?: (error: unknown, request: ServerRequest) => void;
}

/** A server that listens. */
export interface RunningServer {
  /** As `http://127.0.0.1:5000`. */
  readonly url: string;
  readonly port: number;
  /** Takes no new connection, waits up to `graceMs` for those that are busy, then ends them. */
  stop(graceMs?: number): Promise<void>;
}

/** Starts an HTTP server; fails with `io-error` where the address cannot be had. */
export type Serve = (options: ServeOptions) => Promise<RunningServer>;
