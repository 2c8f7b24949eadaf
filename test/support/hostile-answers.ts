import type { IncomingMessage, ServerResponse } from "node:http";
import { type HostileAnswer, hostileGraph, plainManifest } from "./hostile.ts";

const good = hostileGraph(plainManifest());
const layer = plainManifest().layers[0]?.digest ?? "";

/** How a registry answers one request. */
export type Answering = (request: IncomingMessage, response: ServerResponse) => void;

/** Answers every request for a manifest so. */
export function onManifest(answering: Answering): HostileAnswer {
  return (request, response) => {
    if (!request.url?.includes("/manifests/")) return false;
    answering(request, response);
    return true;
  };
}

/** Answers every request for the layer so. */
export function onBlob(answering: Answering): HostileAnswer {
  return (request, response) => {
    if (!request.url?.includes(`/blobs/${layer}`)) return false;
    answering(request, response);
    return true;
  };
}

/** The headers of a manifest of this many bytes. */
export function headers(length: number) {
  return { "content-type": plainManifest().mediaType, "content-length": length };
}

/** A manifest of blanks without an end. */
export function endless(_: IncomingMessage, response: ServerResponse): void {
  response.writeHead(200, { "content-type": plainManifest().mediaType });
  const write = (): void => {
    while (!response.destroyed && response.write(Buffer.alloc(1 << 16, 32)));
  };
  response.on("drain", write);
  write();
}

/** The plain manifest, said to have the digest of zeros. */
export function anotherManifest(_: IncomingMessage, response: ServerResponse): void {
  const digest = `sha256:${"0".repeat(64)}`;
  response.writeHead(200, { ...headers(good.root.bytes.byteLength), "docker-content-digest": digest });
  response.end(good.root.bytes);
}

/** Sends the client there. */
export function redirect(to: (request: IncomingMessage) => string): Answering {
  return (request, response) => void response.writeHead(307, { location: to(request) }).end();
}

/** Asks for credentials in these words, whatever comes. */
export function challenge(text: string): HostileAnswer {
  return (_, response) => {
    response.writeHead(401, { "www-authenticate": text }).end("{}");
    return true;
  };
}

/** Asks for a token of its own, which is this text. */
export function tokens(text: string): HostileAnswer {
  return (request, response) => {
    if (request.url?.startsWith("/token")) response.end(text);
    else {
      const realm = `http://${request.headers.host}/token`;
      response.writeHead(401, { "www-authenticate": `Bearer realm="${realm}",service="s"` }).end("{}");
    }
    return true;
  };
}
