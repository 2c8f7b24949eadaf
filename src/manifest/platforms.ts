import { formatPlatform } from "../oci/platform.ts";
import type { LibraryManifest } from "./schema.ts";

/** The platforms that the image is built for, as `linux/amd64`: those of `build.targets` where it is there, else `build.platforms`. */
export function buildPlatforms({ build }: Pick<LibraryManifest, "build">): readonly string[] {
  const targets = build.targets?.map(({ os, arch, variant }) => formatPlatform({ os, architecture: arch, variant }));
  return targets === undefined ? build.platforms : [...new Set(targets)];
}
