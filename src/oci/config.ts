import * as v from "valibot";
import { LibraryError } from "../core/error.ts";
import { parseJson } from "../core/json.ts";
import { platformSchema } from "./descriptor.ts";

const strings = v.nullish(v.array(v.string()));
const stringMap = v.nullish(v.record(v.string(), v.string()));
const emptyMap = v.nullish(v.record(v.string(), v.unknown()));

/** image-spec v1.1.1, "OCI Image Configuration", as far as this program reads it; the rest is kept. */
const configSchema = v.looseObject({
  ...platformSchema.entries,
  created: v.optional(v.string()),
  author: v.optional(v.string()),
  config: v.nullish(
    v.looseObject({
      User: v.optional(v.string()),
      ExposedPorts: emptyMap,
      Env: strings,
      Entrypoint: strings,
      Cmd: strings,
      Volumes: emptyMap,
      WorkingDir: v.optional(v.string()),
      Labels: stringMap,
      StopSignal: v.optional(v.string()),
    }),
  ),
  rootfs: v.looseObject({ type: v.literal("layers"), diff_ids: v.nullable(v.array(v.string())) }),
  history: v.nullish(v.array(v.looseObject({ empty_layer: v.optional(v.boolean()) }))),
});

/** An image's configuration as received. */
export type ImageConfig = v.InferOutput<typeof configSchema>;

/** The configuration in `bytes`, whose digest was checked; throws `malformed-json` or `malformed-content`. */
export function parseConfig(bytes: Uint8Array, name: string): ImageConfig {
  const result = v.safeParse(configSchema, parseJson(bytes, name));
  if (result.success) return result.output;
  const issue = result.issues[0];
  throw new LibraryError("malformed-content", `Cannot read ${name} at ${v.getDotPath(issue) ?? "/"}: ${issue.message}`);
}
