import { createConnection, createServer, type Socket } from "node:net";

export interface ByteRelayOptions {
  /** Bytes, both directions of all connections together, after which `onReached` is called once. */
  readonly at: number;
  readonly onReached: () => void;
  /** Whether anything passes after. */
  readonly goesOn: boolean;
}

export interface ByteRelay {
  /** As `127.0.0.1:40001`. */
  readonly host: string;
  /** Bytes that passed so far, in both directions of all connections. */
  moved(): number;
  /** The line of the request that was sent last, as `GET /v2/a/blobs/sha256:…`. */
  lastRequest(): string;
  stop(): Promise<void>;
}

/** Passes bytes between a free port of 127.0.0.1 and the port `target`, counts them, and tells when they reach a number. */
export async function startByteRelay(target: number, { at, onReached, goesOn }: ByteRelayOptions): Promise<ByteRelay> {
  const sockets = new Set<Socket>();
  let moved = 0;
  let lastRequest = "";
  const server = createServer((client) => {
    const upstream = createConnection({ host: "127.0.0.1", port: target });
    client.on("data", (chunk: Uint8Array) => {
      const line = /^(?:GET|HEAD|POST|PUT|PATCH|DELETE) \S+/.exec(
        Buffer.from(chunk.subarray(0, 300)).toString("latin1"),
      );
      if (line && moved < at) lastRequest = line[0];
    });
    pass(client, upstream);
    pass(upstream, client);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the relay has no port");
  return {
    host: `127.0.0.1:${address.port}`,
    moved: () => moved,
    lastRequest: () => lastRequest,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };

  function pass(from: Socket, to: Socket): void {
    sockets.add(from);
    from.on("data", (chunk: Uint8Array) => {
      const before = moved;
      if (before >= at && !goesOn) return;
      const allowed = goesOn ? chunk : chunk.subarray(0, at - before);
      moved += allowed.byteLength;
      if (!to.write(allowed)) {
        from.pause();
        to.once("drain", () => from.resume());
      }
      if (before < at && moved >= at) onReached();
    });
    from.on("end", () => to.end());
    from.on("error", () => to.destroy());
    from.on("close", () => {
      sockets.delete(from);
      to.destroy();
    });
  }
}
