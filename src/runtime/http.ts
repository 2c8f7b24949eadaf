import type { Http, HttpRequest } from "../core/ports.ts";
import { runtime } from "./detect.ts";
import { type HttpSettings, hasProxy } from "./http-settings.ts";

/**
 * The HTTP port of this program: node:http(s) is complete in every runtime, Bun's fetch is faster in what it does
 * right. Both are loaded when they are first needed.
 */
export function makeHttp(settings: HttpSettings): Http {
  let complete: Promise<Http> | undefined;
  let fast: Promise<Http> | undefined;

  return {
    async send(request) {
      return (await choose(request)).send(request);
    },
    async close() {
      await Promise.all([complete, fast].map(async (client) => (await client)?.close()));
    },
  };

  function choose(request: HttpRequest): Promise<Http> {
    if (fetchIsRight(request, settings)) {
      fast ??= import("./http-bun.ts").then((module) => module.makeBunHttp(settings));
      return fast;
    }
    complete ??= import("./http-node.ts").then((module) => module.makeNodeHttp(settings));
    return complete;
  }
}

/** Bun's fetch finds proxies by rules of its own, and so is not asked where there is one. */
function fetchIsRight(request: HttpRequest, settings: HttpSettings): boolean {
  return runtime === "bun" && !hasProxy(request.url, settings);
}
