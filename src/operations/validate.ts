import { stat } from "node:fs/promises";
import type { Context } from "../core/context.ts";
import { InvalidInputError, type Problem } from "../core/error.ts";
import type { Report } from "../core/report.ts";
import { fail } from "../manifest/document.ts";
import { inputProblems } from "../manifest/inputs.ts";
import { type NamedFiles, namedFiles, type OpenedManifest, openManifest } from "../manifest/open.ts";
import { formatPath, type Path } from "../manifest/path.ts";
import { buildPlatforms } from "../manifest/platforms.ts";
import { imageNames } from "../manifest/references.ts";
import { readLicenseExpression } from "../manifest/spdx.ts";
import type { Digest } from "../oci/digest.ts";

/** Which manifest to check. */
export interface ValidateInput {
  /** Default `.library.manifest.yaml`. */
  readonly manifest?: string | undefined;
}

/** What a valid manifest stands for. */
export interface ValidateReport extends Report {
  readonly file: string;
  /** sha256 of the manifest file. */
  readonly digest: Digest;
  readonly title: string;
  readonly version: string;
  /** Full names that a build gets. */
  readonly references: readonly string[];
  readonly platforms: readonly string[];
  /** What is allowed and should be looked at, each with its place. */
  readonly warnings: readonly Problem[];
}

/**
 * The manifest is valid, and its context, Dockerfile and the inputs of its tools exist. Throws `invalid-manifest-file`
 * with every problem at once, those of the files too as far as the text can be read.
 */
export async function validate(context: Context, { manifest: path }: ValidateInput): Promise<ValidateReport> {
  const manifest = await openManifest(path, context.cwd).catch((error: unknown) =>
    withFileProblems(error, path, context),
  );
  const problems = await fileProblems(manifest);
  if (problems.length > 0) fail(manifest.file, problems, "use");
  const { title, version } = manifest.value.metadata.discovery;
  return {
    status: "ok",
    file: manifest.file,
    digest: manifest.digest,
    title,
    version,
    references: imageNames(manifest.value).map(({ reference }) => reference),
    platforms: buildPlatforms(manifest.value),
    warnings: warnings(manifest, context.now()),
  };
}

/** Throws what `openManifest` threw, with the problems of the files that could be found out in spite of it. */
async function withFileProblems(error: unknown, path: string | undefined, { cwd }: Context): Promise<never> {
  const named = error instanceof InvalidInputError ? await namedFiles(path, cwd) : undefined;
  const found = named === undefined ? [] : await buildProblems(named);
  if (named === undefined || found.length === 0 || !(error instanceof InvalidInputError)) throw error;
  const all = [...error.problems, ...found].sort((a, b) => (a.line ?? 0) - (b.line ?? 0));
  fail(named.file, all);
}

async function fileProblems(manifest: OpenedManifest): Promise<readonly Problem[]> {
  const { dockerfilePath, value } = manifest;
  const problems = [...(await buildProblems({ ...manifest, build: value.build }))];
  const hasDockerfile = !problems.some(({ path }) => path === "build.file");
  for (const tool of value.config.tools) {
    const found = await inputProblems(manifest, tool);
    // The Dockerfile that tools read is the one of the build, and told once
    problems.push(...(hasDockerfile ? found : found.filter(({ hint }) => !hint?.includes(dockerfilePath))));
  }
  return problems;
}

async function buildProblems(manifest: NamedFiles): Promise<readonly Problem[]> {
  const { contextPath, dockerfilePath, build } = manifest;
  const [folder, dockerfile] = await Promise.all(
    // Whatever the reason that it cannot be seen, a build could not use it either
    [contextPath, dockerfilePath].map((path) => stat(path).catch(() => undefined)),
  );
  const problems: Problem[] = [];
  if (!folder?.isDirectory()) {
    const message = `build.context is "${build.context}", which is no folder`;
    problems.push(placed(manifest, ["build", "context"], message, `Make the folder ${contextPath}, or name another`));
  }
  if (!dockerfile?.isFile()) {
    const message = `build.file is "${build.file}", which is no file in the context`;
    problems.push(placed(manifest, ["build", "file"], message, `Make ${dockerfilePath}, or name another file`));
  }
  return problems;
}

function warnings(manifest: OpenedManifest, now: Date): readonly Problem[] {
  const { build, metadata } = manifest.value;
  const found: Problem[] = [];
  for (const identifier of new Set(readLicenseExpression(metadata.discovery.licenses).deprecated)) {
    const message = `metadata.discovery.licenses names "${identifier}", which the SPDX list has deprecated`;
    const hint = /^(?:A|L)?GPL-|^GFDL-/.test(identifier)
      ? `Write "${identifier.replace(/\+$/, "")}-only" or "${identifier.replace(/\+$/, "")}-or-later"`
      : "Take its successor of spdx.org/licenses";
    found.push(placed(manifest, ["metadata", "discovery", "licenses"], message, hint));
  }
  if (imageNames(manifest.value).length < build.tags.length) {
    const message = "build.tags names one image several times";
    found.push(placed(manifest, ["build", "tags"], message, "Remove what is given twice"));
  }
  const { created } = metadata.discovery;
  // A day allows for every time zone and for clocks that are a little wrong
  if (created !== undefined && new Date(created).getTime() > now.getTime() + 24 * 3600 * 1000) {
    const message = `metadata.discovery.created is "${created}", which lies in the future`;
    found.push(placed(manifest, ["metadata", "discovery", "created"], message, "Remove it: a build sets its own time"));
  }
  const { eol } = metadata.lifecycle ?? {};
  if (eol !== undefined && new Date(eol).getTime() + 24 * 3600 * 1000 < now.getTime()) {
    const message = `metadata.lifecycle.eol is "${eol}", which has passed`;
    found.push(
      placed(manifest, ["metadata", "lifecycle", "eol"], message, "Move it, or name what supersedes the image"),
    );
  }
  return found;
}

function placed(manifest: Pick<OpenedManifest, "at">, path: Path, message: string, hint: string): Problem {
  return { ...manifest.at(path), path: formatPath(path), message, hint };
}
