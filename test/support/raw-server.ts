import { createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import type { Certificate } from "./certificate.ts";

/** A server that answers what it is told, byte by byte, right or wrong. */
export interface RawServer {
  readonly url: string;
  /** The heads of the requests that came, in order. */
  readonly heads: readonly string[];
  /** Connections that were made. */
  readonly connections: number;
  stop(): Promise<void>;
}

/** Called once the head of a request is there, with the bytes of the body that came along. */
export type Answer = (socket: Socket, head: string, start: Buffer) => void;

/** Listens on a free port of 127.0.0.1; with a certificate, over TLS. */
export async function rawServer(answer: Answer, certificate?: Certificate): Promise<RawServer> {
  const sockets = new Set<Socket>();
  const heads: string[] = [];
  let connections = 0;
  const onSocket = (socket: Socket) => {
    connections++;
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => socket.destroy());
    let received = Buffer.alloc(0);
    let left = 0;
    socket.on("data", (chunk: Buffer) => {
      // What is left of a body that the answer did not take over
      const skipped = Math.min(left, chunk.byteLength);
      left -= skipped;
      received = Buffer.concat([received, chunk.subarray(skipped)]);
      const end = received.indexOf("\r\n\r\n");
      if (left > 0 || end < 0) return;
      const head = received.subarray(0, end).toString("latin1");
      const rest = received.subarray(end + 4);
      const length = Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0);
      left = Math.max(0, length - rest.byteLength);
      received = Buffer.alloc(0);
      heads.push(head);
      answer(socket, head, rest);
    });
  };
  const server: Server = certificate
    ? createTlsServer({ cert: certificate.cert, key: certificate.key }, onSocket)
    : createServer(onSocket);
  server.on("tlsClientError", () => {});
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address ? address.port : 0;
  return {
    url: `${certificate ? "https" : "http"}://127.0.0.1:${port}`,
    heads,
    get connections() {
      return connections;
    },
    async stop() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** A response with its Content-Length. */
export function answerWith(
  socket: Socket,
  status: string,
  headers: readonly string[],
  body: Uint8Array | string,
): void {
  const bytes = Buffer.from(body);
  const head = [`HTTP/1.1 ${status}`, ...headers, `Content-Length: ${bytes.byteLength}`, "", ""].join("\r\n");
  socket.write(Buffer.concat([Buffer.from(head), bytes]));
}
