import { stat } from "node:fs/promises";
import type { Content, Io } from "../core/content.ts";

/** How often a file that the runtime fills is looked at. */
const pollMs = 250;

/** The same content, which tells of the bytes that leave it as `transfer` events. A file handed on whole tells nothing. */
export function observe(content: Content, digest: string, io: Io): Content {
  const tell = (bytes: number): void => {
    if (bytes > 0) io.emit({ kind: "transfer", digest, bytes });
  };
  const { saveTo } = content;
  return {
    size: content.size,
    ...(content.file === undefined ? {} : { file: content.file }),
    stream: async (offset) =>
      (await content.stream(offset)).pipeThrough(
        new TransformStream({
          transform(chunk, controller) {
            tell(chunk.byteLength);
            controller.enqueue(chunk);
          },
        }),
      ),
    ...(saveTo === undefined
      ? {}
      : { saveTo: (path, offset = 0) => watch(path, offset, tell, () => saveTo.call(content, path, offset)) }),
  };
}

/** Runs `body`, which makes the file at `path` grow from `offset` on, and tells of the growth. */
async function watch(
  path: string,
  offset: number,
  tell: (bytes: number) => void,
  body: () => Promise<number>,
): Promise<number> {
  let told = 0;
  const timer = setInterval(async () => {
    const size = await stat(path).then(
      (found) => found.size,
      () => 0, // Not made yet, or moved away already
    );
    if (size - offset <= told) return;
    tell(size - offset - told);
    told = size - offset;
  }, pollMs);
  try {
    const bytes = await body();
    clearInterval(timer);
    tell(bytes - told);
    told = bytes;
    return bytes;
  } finally {
    clearInterval(timer);
  }
}
