import { makeLayer } from "../../src/image/layer.ts";
import { testIo } from "../support/io.ts";
import { peakMemory } from "../support/peak-memory.ts";

// Makes one layer, of the folder and in the folder that the arguments name, in whatever runtime this runs, and prints
// its digests and the process's peak memory.

const [path = "", temporary = ""] = process.argv.slice(2);
const options = { compression: "gzip", mtime: 0, prefixFolders: false, temporary, fileName: "layer" } as const;
const { diffId, descriptor } = await makeLayer({ path, prefix: "" }, options, testIo());
console.log(JSON.stringify({ diffId, digest: descriptor.digest, peakBytes: peakMemory() }));
