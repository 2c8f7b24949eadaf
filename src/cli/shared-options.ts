import type { ArgumentSpec, OptionSpec } from "./command.ts";

/** What several commands take, said once. */
export const sharedOptions = {
  platform: {
    kind: "values",
    placeholder: "OS/ARCH[/VARIANT]",
    description: "Take only this platform; linux/* takes all of an os, several make a new index",
  },
  onePlatform: {
    kind: "values",
    placeholder: "OS/ARCH[/VARIANT]",
    description: "Choose this platform of an index",
  },
  referrers: {
    kind: "value",
    placeholder: "all|none",
    description: "Also take signatures, SBOMs and whatever else refers to the image",
    default: "all",
  },
  output: {
    kind: "value",
    short: "o",
    placeholder: "FILE",
    description: 'Write to this file; "-" is standard output',
    default: "-",
  },
} as const satisfies Readonly<Record<string, OptionSpec>>;

/** A reference to what is read. */
export const referenceArgument: ArgumentSpec = {
  kind: "required",
  placeholder: "REF",
  description: "host/repository:tag, oci:DIR:tag or oci-archive:FILE:tag; @digest instead of or after the tag",
};

/** A whole place. */
export const locationArgument: ArgumentSpec = {
  kind: "required",
  placeholder: "PLACE",
  description: "host/repository, oci:DIR or oci-archive:FILE",
};
