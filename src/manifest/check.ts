import * as v from "valibot";
import { readIssues, type SourceText, type ValueProblem } from "./issues.ts";
import { crossFieldProblems } from "./rules.ts";
import { type LibraryManifest, manifestSchema } from "./schema.ts";

/** A checked value: the manifest, or else every problem. */
export type CheckedManifest =
  | { readonly manifest: LibraryManifest; readonly problems: readonly [] }
  | { readonly manifest: undefined; readonly problems: readonly ValueProblem[] };

/**
 * The manifest that `value` is, its defaults filled in and its keys in the schema's order; or all its problems at once.
 * `source` gives what a scalar looked like in its file, for hints.
 */
export function checkManifest(value: unknown, source: SourceText = () => undefined): CheckedManifest {
  const result = v.safeParse(manifestSchema, value);
  const issues = result.success ? [] : result.issues;
  const problems = [...readIssues(manifestSchema, value, issues, source), ...crossFieldProblems(value)];
  if (result.success && problems.length === 0) return { manifest: result.output, problems: [] };
  return { manifest: undefined, problems };
}
