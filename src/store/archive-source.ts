import type { Random, State } from "../core/ports.ts";
import { ArchiveFiles } from "./archive-files.ts";
import type { DecompressionLimits } from "./decompress.ts";
import { LayoutReader } from "./layout-reader.ts";

/** What messages call the archive, and bounds of what it may unpack to. */
export interface ArchiveSourceOptions extends DecompressionLimits {
  /** What messages call it; `oci-archive:` and the path by default. */
  readonly name?: string;
  /** Where compressed archives are unpacked to; the system's folder for temporary files by default. */
  readonly temporaryFolder?: string;
}

/**
 * An OCI layout in a tar, read in place by seeking; `.tar.gz` and `.tar.zst`, known by their first bytes, by way of a
 * bounded temporary file that `close` removes. A hostile tar fails with `malformed-archive` at the first use, a Docker
 * archive with `unsupported-content`.
 */
export class ArchiveSource extends LayoutReader {
  constructor(
    path: string,
    ports: { readonly random: Random; readonly state?: State },
    options: ArchiveSourceOptions = {},
  ) {
    super(new ArchiveFiles(path, ports.random, { ...options, name: options.name ?? `oci-archive:${path}` }));
  }
}
