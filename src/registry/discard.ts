import type { HttpResponse } from "../core/ports.ts";

const smallBytes = 64 * 1024;

/** The response needs no more attention: a small body was read, so that its connection serves again, a large one cut off. */
export async function discard(response: HttpResponse): Promise<void> {
  const { body, status } = response;
  if (status === 204 || status === 304 || (body.size !== undefined && body.size <= smallBytes)) {
    // That nobody needs the body means that nobody needs to know how it ended
    await body.bytes(smallBytes).catch(() => undefined);
  } else {
    await body.cancel();
  }
}

/** Like `discard`, for the answer to a HEAD, which has no body whatever its Content-Length says. */
export async function discardHead(response: HttpResponse): Promise<void> {
  await response.body.bytes(smallBytes).catch(() => undefined);
}
