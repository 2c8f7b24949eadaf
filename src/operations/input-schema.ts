import * as v from "valibot";
import { parsePlatform } from "../oci/platform.ts";
import { parseExplicitReference, parseLocation, parseReference } from "../oci/reference.ts";

// The parsers throw their own errors (`invalid-reference`, `invalid-platform`) with a hint: valibot passes them on

/** A reference given by the user; `latest` where a registry's names neither tag nor digest. */
export const referenceSchema = v.pipe(v.string(), v.transform(parseReference));

/** A reference given by the user, with only what was written. */
export const explicitReferenceSchema = v.pipe(v.string(), v.transform(parseExplicitReference));

/** A whole repository, layout or archive given by the user. */
export const locationSchema = v.pipe(v.string(), v.transform(parseLocation));

/** Platforms given by the user, possibly with `*`; none asks for all. */
export const platformsSchema = v.optional(v.array(v.pipe(v.string(), v.transform(parsePlatform))), []);

/** Whether what refers to an image comes along. */
export const referrersSchema = v.optional(v.picklist(["all", "none"], 'expected "all" or "none"'), "all");

/** A flag that is off unless given. */
export const flagSchema = v.optional(v.boolean(), false);
