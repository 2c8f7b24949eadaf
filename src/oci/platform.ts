import { UsageError } from "../core/error.ts";

/** image-spec v1.1.1, "Image Index Property Descriptions", `platform`. */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string | undefined;
  readonly "os.version"?: string | undefined;
  readonly "os.features"?: readonly string[] | undefined;
}

/** A platform as asked for; `*` in a part matches anything. */
export type PlatformPattern = Platform;

const part = /^(?:[A-Za-z0-9][A-Za-z0-9_.-]{0,63}|\*)$/;

/** `os/architecture[/variant][:osversion]`, each part possibly `*`; throws `invalid-platform`. */
export function parsePlatform(text: string): PlatformPattern {
  const colon = text.indexOf(":");
  const version = colon < 0 ? undefined : text.slice(colon + 1);
  const [os, architecture, variant, ...rest] = (colon < 0 ? text : text.slice(0, colon)).split("/");
  const parts = [os, architecture ?? (os === "*" ? "*" : undefined), variant ?? "*", version ?? "*"];
  if (os === undefined || rest.length > 0 || parts.some((value) => value === undefined || !part.test(value))) {
    throw new UsageError(`Cannot read platform ${JSON.stringify(text.slice(0, 160))}: not of the form os/arch`, {
      code: "invalid-platform",
      hint: 'Write it as "linux/amd64", "linux/arm/v7" or "windows/amd64:10.0.20348.2031"; "linux/*" takes all of an os',
    });
  }
  return {
    os,
    architecture: architecture ?? "*",
    ...(variant === undefined ? {} : { variant }),
    ...(version === undefined ? {} : { "os.version": version }),
  };
}

/** `os/architecture[/variant][:osversion]`. */
export function formatPlatform(platform: Platform): string {
  const variant = platform.variant ? `/${platform.variant}` : "";
  const version = platform["os.version"] ? `:${platform["os.version"]}` : "";
  return `${platform.os}/${platform.architecture}${variant}${version}`;
}

/** Whether the pattern names exactly one os and architecture. */
export function isExactPlatform(pattern: PlatformPattern): boolean {
  return pattern.os !== "*" && pattern.architecture !== "*" && pattern.variant !== "*";
}

/** Variants that are the same as none: containerd's normalisation, which builders apply. */
const defaultVariants: Readonly<Record<string, string>> = { arm64: "v8", amd64: "v1" };

/**
 * Whether `platform` is one that `pattern` asks for. A part the pattern leaves out matches anything, except the variant
 * of arm, where no variant means v7; `linux/arm64` and `linux/arm64/v8` are the same.
 */
export function matchesPlatform(platform: Platform, pattern: PlatformPattern): boolean {
  const same = (asked: string | undefined, is: string | undefined): boolean =>
    asked === undefined || asked === "*" || asked === is;
  if (!same(pattern.os, platform.os) || !same(pattern.architecture, platform.architecture)) return false;
  if (!same(pattern["os.version"], platform["os.version"])) return false;
  const fallback = platform.architecture === "arm" ? "v7" : defaultVariants[platform.architecture];
  if (pattern.variant === "*" || pattern.architecture === "*") return true;
  if (pattern.variant === undefined && fallback === undefined) return true;
  return (pattern.variant ?? fallback) === (platform.variant ?? fallback);
}

/** BuildKit's marker of what is not runnable: `unknown/unknown`. */
export function isUnknownPlatform(platform: Platform): boolean {
  return platform.os === "unknown" && platform.architecture === "unknown";
}
