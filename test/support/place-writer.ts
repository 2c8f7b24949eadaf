/**
 * A process of its own that copies an image of two layers of SIZE bytes to `oci:PATH` or `oci-archive:PATH`, and prints
 * the code of the error that ends it, or `ok`: `bun test/support/place-writer.ts PLACE SIZE`.
 */
import { isLibraryError } from "../../src/core/error.ts";
import { ArchiveTarget } from "../../src/store/archive-target.ts";
import { LayoutBackend } from "../../src/store/layout.ts";
import { MemoryBackend } from "../../src/store/memory.ts";
import { fill } from "../contract/sample.ts";
import { addImage } from "./graph.ts";
import { storePorts } from "./ports.ts";

const [place, size] = process.argv.slice(2);
if (place === undefined || size === undefined) throw new Error("PLACE SIZE");
const path = place.slice(place.indexOf(":") + 1);
const target = place.startsWith("oci:") ? new LayoutBackend(path, storePorts) : new ArchiveTarget(path, storePorts);
const backend = new MemoryBackend();
const image = addImage(backend, { layers: 2, layerSize: Number(size) });
try {
  await fill(target, backend, [{ manifest: image, tag: "1" }]);
  process.stdout.write("ok");
} catch (error) {
  process.stdout.write(isLibraryError(error) ? error.code : String(error));
}
