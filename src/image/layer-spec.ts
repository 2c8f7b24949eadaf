import { UsageError } from "../core/error.ts";
import { type PlatformPattern, parsePlatform } from "../oci/platform.ts";

/** One layer as the user asks for it. */
export interface LayerSpec {
  /** A folder, or a tar that may be compressed. */
  readonly path: string;
  /** Where its content goes in the image, without slashes at its ends: `opt/app`; empty for the root. */
  readonly prefix: string;
  /** The images that get it; all where it is absent. */
  readonly platform?: PlatformPattern;
}

/** Operating systems by their names in images: what stands before the `/` of a platform, and of no usual folder. */
const platformPrefix = /^((?:linux|windows|darwin|freebsd|\*)\/[^=:]+)=(.*)$/s;

/**
 * `[PLATFORM=]PATH[:/PREFIX]`, divided at the last `:/`; a folder whose name begins like a platform is written with
 * `./`. Throws `usage` for what could leave the image's root, and `invalid-platform`.
 */
export function parseLayerSpec(text: string): LayerSpec {
  const [, platform, rest] = platformPrefix.exec(text) ?? [];
  const place = parsePlace(rest ?? text);
  return platform === undefined ? place : { ...place, platform: parsePlatform(platform) };
}

function parsePlace(text: string): LayerSpec {
  const colon = text.lastIndexOf(":/");
  const path = colon < 0 ? text : text.slice(0, colon);
  const parts = (colon < 0 ? "" : text.slice(colon + 1)).split("/").filter((part) => part !== "");
  const hint = 'Write it as "dist", "dist:/opt/app" or "files.tar.gz:/srv"';
  if (path === "") throw new UsageError(`Cannot read layer ${JSON.stringify(text)}: no path`, { hint });
  if (path.includes("\0"))
    throw new UsageError(`Cannot read layer ${JSON.stringify(text)}: a control character`, { hint });
  for (const part of parts) {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
    if (part === "." || part === ".." || /[\u0000-\u001f\u007f]/.test(part)) {
      throw new UsageError(`Cannot read layer ${JSON.stringify(text)}: ${JSON.stringify(part)} in its prefix`, {
        hint,
      });
    }
  }
  return { path, prefix: parts.join("/") };
}
