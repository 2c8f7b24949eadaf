/**
 * A process of its own that writes a blob of MIB mebibytes, which come in small chunks, to `oci:PATH` or
 * `oci-archive:PATH`, reads it back and prints its peak memory in MiB: `bun test/support/stream-writer.ts PLACE MIB`.
 */
import type { Content } from "../../src/core/content.ts";
import { startHash } from "../../src/core/hashing.ts";
import type { Node } from "../../src/oci/descriptor.ts";
import { ArchiveSource } from "../../src/store/archive-source.ts";
import { ArchiveTarget } from "../../src/store/archive-target.ts";
import { LayoutBackend } from "../../src/store/layout.ts";
import { MemoryBackend } from "../../src/store/memory.ts";
import { Store } from "../../src/store/store.ts";
import { seededBytes } from "./graph.ts";
import { testIo } from "./io.ts";
import { peakMemory } from "./peak-memory.ts";
import { storePorts } from "./ports.ts";

const [place, mebibytes] = process.argv.slice(2);
if (place === undefined || mebibytes === undefined) throw new Error("PLACE MIB");
const path = place.slice(place.indexOf(":") + 1);
const isLayout = place.startsWith("oci:");
const io = testIo();
const chunk = seededBytes(64 * 1024, 1);
const size = Number(mebibytes) * 1024 * 1024;
const hash = startHash("sha256");
for (let at = 0; at < size; at += chunk.byteLength) hash.update(chunk);
const node: Node = {
  kind: "blob",
  descriptor: { mediaType: "application/octet-stream", digest: `sha256:${hash.hex()}`, size },
};
const content: Content = {
  size,
  stream: async (offset = 0) => {
    let at = offset;
    return new ReadableStream<Uint8Array>({
      pull(controller) {
        controller.enqueue(chunk.slice(at % chunk.byteLength));
        at += chunk.byteLength - (at % chunk.byteLength);
        if (at >= size) controller.close();
      },
    });
  },
};
const target = isLayout ? new LayoutBackend(path, storePorts) : new ArchiveTarget(path, storePorts);
const step = { ...node, role: "layer", source: new Store(new MemoryBackend()), needs: [] } as const;
const writing = await target.begin(io, [step]);
await writing.write(node, async () => content);
await writing.commit([]);
const source = isLayout ? new LayoutBackend(path, storePorts) : new ArchiveSource(path, storePorts);
let read = 0;
for await (const part of await new Store(source).stream(node, io)) read += part.byteLength;
await source.close();
if (read !== size) throw new Error(`${read} bytes were read`);
process.stdout.write(String(peakMemory() / 1024 ** 2));
