import * as v from "valibot";
import { UsageError } from "../core/error.ts";
import { shellWords } from "../core/shell-words.ts";
import { parseLayerSpec } from "../image/layer-spec.ts";
import { parseReference } from "../oci/reference.ts";
import { explicitReferenceSchema, platformsSchema } from "./input-schema.ts";
import { manifestNameSchema } from "./manifest-name.ts";

/** `NAME=VALUE`, divided at the first `=`. */
const pairSchema = v.pipe(
  v.string(),
  v.regex(/^[^=\0]+=[^\0]*$/, 'expected NAME=VALUE, as "LANG=C.UTF-8"'),
  v.transform((text): readonly [string, string] => {
    const equals = text.indexOf("=");
    return [text.slice(0, equals), text.slice(equals + 1)];
  }),
);

const pairsSchema = v.optional(v.array(pairSchema), []);
/** The last of several values for one name wins. */
const recordSchema = v.pipe(
  pairsSchema,
  v.transform((pairs): Readonly<Record<string, string>> => Object.fromEntries(pairs)),
);

/** A JSON array of strings where it begins with `[`, else words as a shell divides them; nothing is expanded. */
export function parseWords(text: string, flag: string): readonly string[] {
  if (!text.trimStart().startsWith("[")) return shellWords(text, flag);
  try {
    const value: unknown = JSON.parse(text);
    if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value;
  } catch {
    // Told below, together with what is JSON but no list of strings
  }
  throw new UsageError(`Cannot use ${flag}: ${text.slice(0, 160)} is not a JSON array of strings`, {
    hint: `Write it as ${flag} '["/app","--port","8080"]', or as ${flag} "/app --port 8080"`,
  });
}

const portSchema = v.pipe(
  v.string(),
  v.regex(/^[1-9][0-9]{0,4}(?:\/(?:tcp|udp|sctp))?$/, 'expected a port, as "8080" or "53/udp"'),
  v.check((text) => Number.parseInt(text, 10) < 65536, "expected a port from 1 to 65535"),
  v.transform((text) => (text.includes("/") ? text : `${text}/tcp`)),
);

/** What `append` reads from its flags. */
export const appendSchema = v.pipe(
  v.strictObject({
    base: v.optional(
      v.pipe(
        v.string(),
        v.transform((text) => (text === "scratch" ? ("scratch" as const) : parseReference(text))),
      ),
      "scratch",
    ),
    layer: v.optional(v.array(v.pipe(v.string(), v.transform(parseLayerSpec))), []),
    entrypoint: v.optional(
      v.pipe(
        v.string(),
        v.transform((text) => parseWords(text, "--entrypoint")),
      ),
    ),
    cmd: v.optional(
      v.pipe(
        v.string(),
        v.transform((text) => parseWords(text, "--cmd")),
      ),
    ),
    env: pairsSchema,
    workdir: v.optional(v.pipe(v.string(), v.regex(/^\/\P{Cc}*$/u, 'expected an absolute path, as "/app"'))),
    user: v.optional(v.pipe(v.string(), v.regex(/^[^\s\p{Cc}]+$/u, 'expected a user, as "nobody" or "1000:1000"'))),
    expose: v.optional(v.array(portSchema), []),
    label: recordSchema,
    annotation: recordSchema,
    platform: platformsSchema,
    compression: v.optional(v.picklist(["gzip", "zstd"], "expected gzip or zstd"), "gzip"),
    output: v.optional(explicitReferenceSchema),
    manifest: manifestNameSchema,
    layout: v.optional(v.pipe(v.string(), v.minLength(1, "expected a folder"))),
    tag: v.optional(v.array(v.string()), []),
  }),
  v.transform(({ entrypoint, cmd, env, workdir, user, expose, label, annotation, ...rest }) => ({
    ...rest,
    edits: { entrypoint, cmd, env, workdir, user, expose, labels: label },
    annotations: annotation,
  })),
);
