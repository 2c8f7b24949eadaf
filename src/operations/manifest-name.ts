import * as v from "valibot";
import { UsageError } from "../core/error.ts";

/** A file or folder given by the user, if any. */
export const manifestNameSchema = v.optional(v.pipe(v.string(), v.minLength(1, "expected a file or a folder")));

/** The manifest that is named by the argument or by `--manifest`; throws `usage` where both name one. */
export function manifestName(argument: string | undefined, flag: string | undefined): string | undefined {
  if (argument !== undefined && flag !== undefined) {
    throw new UsageError("Cannot read the manifest: it is named twice", { hint: "Leave -m out" });
  }
  return argument ?? flag;
}
