import { createConnection, createServer, type Socket } from "node:net";

export interface CutOptions {
  /** Bytes in one direction of a connection after which it is cut, without the byte after them. */
  readonly afterBytes: number;
  /** How many connections are cut; the others pass. Default 1. */
  readonly times?: number;
}

export interface Relay {
  readonly port: number;
  stop(): Promise<void>;
}

/** Passes bytes between a free port of 127.0.0.1 and `target`, and cuts connections as told. */
export async function startRelay(target: number, cut: CutOptions, onCut: () => void): Promise<Relay> {
  const sockets = new Set<Socket>();
  let left = cut.times ?? 1;
  const server = createServer((client) => {
    const upstream = createConnection({ host: "127.0.0.1", port: target });
    const end = () => {
      client.destroy();
      upstream.destroy();
    };
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from);
      let passed = 0;
      from.on("data", (chunk: Uint8Array) => {
        const room = cut.afterBytes - passed;
        passed += chunk.byteLength;
        if (left > 0 && chunk.byteLength > room) {
          left--;
          onCut();
          to.write(chunk.subarray(0, room), end);
          return;
        }
        if (!to.write(chunk)) {
          from.pause();
          to.once("drain", () => from.resume());
        }
      });
      from.on("end", () => to.end());
      from.on("error", end);
      from.on("close", () => {
        sockets.delete(from);
        to.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the relay has no port");
  return {
    port: address.port,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}
