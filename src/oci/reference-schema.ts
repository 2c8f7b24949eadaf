import * as v from "valibot";
import { parsePlatform } from "./platform.ts";
import { parseExplicitReference, parseLocation, parseReference } from "./reference.ts";

// The parsers throw their own errors (`invalid-reference`, `invalid-platform`) with a hint: valibot passes them on

/** A reference given by the user; `latest` where a registry's names neither tag nor digest. */
export const referenceSchema = v.pipe(v.string(), v.transform(parseReference));

/** A reference given by the user, with only what was written. */
export const explicitReferenceSchema = v.pipe(v.string(), v.transform(parseExplicitReference));

/** A whole repository, layout or archive given by the user. */
export const locationSchema = v.pipe(v.string(), v.transform(parseLocation));

/** Platforms given by the user, possibly with `*`; none asks for all. */
export const platformsSchema = v.optional(v.array(v.pipe(v.string(), v.transform(parsePlatform))), []);
