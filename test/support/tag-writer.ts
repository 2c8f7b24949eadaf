/**
 * A process of its own that commits to a layout: `bun test/support/tag-writer.ts LAYOUT NAME COUNT` adds COUNT tags
 * NAME-0, NAME-1, … one commit each, and prints each when its commit is done.
 */
import { LayoutBackend } from "../../src/store/layout.ts";
import { MemoryBackend } from "../../src/store/memory.ts";
import { fill } from "../contract/sample.ts";
import { addImage } from "./graph.ts";
import { storePorts } from "./ports.ts";

const [path, name, count] = process.argv.slice(2);
if (path === undefined || name === undefined || count === undefined) throw new Error("LAYOUT NAME COUNT");
const layout = new LayoutBackend(path, storePorts);
for (let at = 0; at < Number(count); at++) {
  const backend = new MemoryBackend();
  const image = addImage(backend, { seed: at, layers: 1 });
  const tag = `${name}-${at}`;
  await fill(layout, backend, [{ manifest: image, tag }]);
  process.stdout.write(`${tag}\n`);
}
