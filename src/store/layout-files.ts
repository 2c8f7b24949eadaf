import type { Content, Io } from "../core/content.ts";
import type { FileLocation } from "../oci/reference.ts";

/** The files of an OCI layout, wherever they lie: in a folder or in an archive. */
export interface LayoutFiles {
  /** For messages: `oci:./dist`. */
  readonly name: string;
  readonly location: FileLocation;
  /**
   * The file at `path` (its parts joined by "/", below the layout), unchecked. Undefined where there is none; throws
   * `malformed-content` for anything but a regular file, symbolic links on the way to it among them, `not-found` where
   * there is no layout at all.
   */
  open(path: string, io: Io): Promise<Content | undefined>;
  /** Differs after every change of index.json. */
  version(io: Io): Promise<string>;
  close(): Promise<void>;
}
