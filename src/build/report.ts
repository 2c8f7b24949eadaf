import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import * as v from "valibot";
import { replaceFile } from "../core/durable-file.ts";
import { LibraryError } from "../core/error.ts";
import { parseJson } from "../core/json.ts";
import type { Random } from "../core/ports.ts";
import { descriptorSchema } from "../oci/descriptor.ts";

const digest = descriptorSchema.entries.digest;
const milliseconds = v.pipe(v.number(), v.minValue(0));

/** `.library/build.json`: what was made of a manifest, or what became of the attempt. */
export const buildReportSchema = v.object({
  schemaVersion: v.literal(1),
  /** `running` stays where the program was killed. */
  status: v.picklist(["running", "ok", "failed"]),
  /** What made it: `append`, or the version line of buildx. */
  builder: v.string(),
  /** The digest of the manifest file's bytes as they were. */
  manifestDigest: digest,
  /** Counted from the manifest's folder where it lies below it, so that both can be moved; else absolute. */
  layout: v.string(),
  /** Of the root manifest; absent until there is one. */
  digest: v.optional(digest),
  mediaType: v.optional(v.string()),
  /** Bytes of the root manifest. */
  size: v.optional(v.number()),
  /** As the manifest says them, each with its full reference. */
  tags: v.array(v.object({ name: v.string(), reference: v.string() })),
  startedAt: v.string(),
  /** Milliseconds, of the whole; absent while it runs. */
  duration: v.optional(milliseconds),
  stages: v.array(
    v.object({
      name: v.string(),
      status: v.picklist(["done", "cached", "failed", "running"]),
      duration: v.optional(milliseconds),
    }),
  ),
  warnings: v.array(v.string()),
  /** Why it failed: an error code, its message, buildx's exit status, the last lines of the step that failed. */
  failure: v.optional(
    v.object({
      code: v.string(),
      message: v.string(),
      exitStatus: v.optional(v.number()),
      tail: v.array(v.string()),
    }),
  ),
});

/** What was made of a manifest, as it is kept. */
export type BuildReport = v.InferOutput<typeof buildReportSchema>;

/**
 * The report lies at `path` after, whole; whoever reads at any moment finds the old or the new one. Where its folder was
 * not there, it is made with a `.gitignore`: what is built belongs into no repository. Throws `io-error`.
 */
export async function writeBuildReport(path: string, report: BuildReport, random: Random): Promise<void> {
  try {
    const folder = dirname(path);
    const isNew = (await mkdir(folder, { recursive: true })) !== undefined;
    if (isNew) await writeFile(join(folder, ".gitignore"), "*\n");
    await replaceFile(path, random, (temporary) => writeFile(temporary, `${JSON.stringify(report, undefined, 2)}\n`));
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "unknown";
    throw new LibraryError("io-error", `Cannot write ${path}: ${code}`, { cause });
  }
}

/** The report at `path`; undefined where there is none. Throws `build-missing` where it cannot be used. */
export async function readBuildReport(path: string): Promise<BuildReport | undefined> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return undefined;
    throw new LibraryError("io-error", `Cannot read ${path}`, { cause });
  }
  const result = v.safeParse(buildReportSchema, parseJson(bytes, path));
  if (result.success) return result.output;
  const [issue] = result.issues;
  throw new LibraryError("build-missing", `Cannot use ${path} at ${v.getDotPath(issue) ?? "/"}: ${issue.message}`, {
    hint: "Build again",
  });
}
