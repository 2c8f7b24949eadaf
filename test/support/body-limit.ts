import { createServer, request as forward, type IncomingMessage, type ServerResponse } from "node:http";

export interface BodyLimit {
  /** As `127.0.0.1:40001`. */
  readonly host: string;
  /** Requests refused with 413 so far. */
  refused(): number;
  /** Chunks (PATCH) that passed so far. */
  chunks(): number;
  stop(): Promise<void>;
}

/** A proxy before the registry at `host` that refuses bodies of more than `limit` bytes with 413, as proxies in the field do. */
export async function startBodyLimit(host: string, limit: number): Promise<BodyLimit> {
  const [hostname = "", port = ""] = host.split(":");
  let refused = 0;
  let chunks = 0;
  const server = createServer((incoming, answer) => {
    if (Number(incoming.headers["content-length"] ?? 0) > limit) {
      refused++;
      // The rest of the body is read, that the client comes to read the answer
      incoming.resume();
      answer.writeHead(413, { "content-type": "text/plain" }).end("too large\n");
      return;
    }
    if (incoming.method === "PATCH") chunks++;
    // With the Host that came: where the registry sends its client leads through here again
    const { method, url: path, headers } = incoming;
    const outgoing = forward({ hostname, port, method, path, headers }, (reply) => relay(reply, answer));
    outgoing.once("error", () => answer.destroy());
    incoming.pipe(outgoing);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the proxy has no port");
  return {
    host: `127.0.0.1:${address.port}`,
    refused: () => refused,
    chunks: () => chunks,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function relay(reply: IncomingMessage, answer: ServerResponse): void {
  answer.writeHead(reply.statusCode ?? 502, reply.headers);
  reply.pipe(answer);
}
