import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, request, type Server } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeHttp } from "../../src/runtime/http.ts";
import { send } from "../contract/http-bench.ts";
import { makeAuthority, makeServerCertificate } from "../support/certificate.ts";
import { answerWith, type RawServer, rawServer } from "../support/raw-server.ts";

let seen: string[];
let proxy: Server;
let proxyUrl: string;
let server: RawServer;
beforeEach(async () => {
  seen = [];
  proxy = createServer((incoming, outgoing) => {
    seen.push(`${incoming.method} ${incoming.url}`);
    const onward = request(incoming.url ?? "", { method: incoming.method, headers: incoming.headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(outgoing);
    });
    incoming.pipe(onward);
  });
  proxy.on("connect", (incoming: IncomingMessage, socket: Socket) => {
    seen.push(`CONNECT ${incoming.url}`);
    if (incoming.headers["proxy-authorization"]) seen.push(`with ${incoming.headers["proxy-authorization"]}`);
    const onward = connect(Number(incoming.url?.split(":")[1]), "127.0.0.1", () => {
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      onward.pipe(socket).pipe(onward);
    });
    onward.on("error", () => socket.destroy());
    socket.on("error", () => onward.destroy());
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  proxyUrl = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
});
afterEach(async () => {
  await server.stop();
  proxy.closeAllConnections();
  await new Promise((resolve) => proxy.close(resolve));
});

test("makeHttp() sends plain requests through HTTP_PROXY", async () => {
  server = await rawServer((socket) => answerWith(socket, "200 OK", [], "through"));
  expect(await read(server.url, { HTTP_PROXY: proxyUrl })).toBe("through");
  expect(seen).toEqual([`GET ${server.url}/`]);
});

test("makeHttp() leaves out the proxy for hosts of NO_PROXY", async () => {
  server = await rawServer((socket) => answerWith(socket, "200 OK", [], "direct"));
  expect(await read(server.url, { HTTP_PROXY: proxyUrl, NO_PROXY: "127.0.0.1" })).toBe("direct");
  expect(seen).toEqual([]);
});

test("makeHttp() tunnels through HTTPS_PROXY and still checks the certificate", async () => {
  const authority = makeAuthority("test authority");
  const folder = mkdtempSync(join(tmpdir(), "library-proxy-"));
  try {
    const caFile = join(folder, "ca.pem");
    writeFileSync(caFile, authority.cert);
    const certificate = makeServerCertificate(authority, { ip: ["127.0.0.1"] });
    server = await rawServer((socket) => answerWith(socket, "200 OK", [], "tunnelled"), certificate);
    const withUser = proxyUrl.replace("http://", "http://user:pass@");
    expect(await read(server.url, { HTTPS_PROXY: withUser }, [caFile])).toBe("tunnelled");
    const basic = Buffer.from("user:pass").toString("base64");
    expect(seen).toEqual([`CONNECT ${new URL(server.url).host}`, `with Basic ${basic}`]);
    await expect(read(server.url, { HTTPS_PROXY: proxyUrl })).rejects.toMatchObject({ code: "insecure-refused" });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

async function read(url: string, env: Record<string, string>, caFiles: readonly string[] = []): Promise<string> {
  const http = makeHttp({ network: { insecureRegistries: [], caFiles }, env });
  try {
    return Buffer.from(await (await send(http, url)).body.bytes(100)).toString();
  } finally {
    await http.close();
  }
}
