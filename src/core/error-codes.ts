/** Exit statuses, as in docs/errors.md: 0 yes, 1 the answer is no, 2 bad input, 3 could not be done, 70 a bug, 130 interrupted. */
export type ExitStatus = 0 | 1 | 2 | 3 | 70 | 130;

interface CodeEntry {
  readonly exitStatus: ExitStatus;
  /** One sentence for docs/errors.md. */
  readonly meaning: string;
}

/** Every error code that the program can report, listed once and never renamed; docs/errors.md is generated from it. */
export const errorCodes = {
  // Usage and input: exit 2
  usage: { exitStatus: 2, meaning: "The command line cannot be understood: an unknown command, flag or value." },
  "invalid-reference": { exitStatus: 2, meaning: "A reference does not follow the grammar of registries or layouts." },
  "invalid-digest": { exitStatus: 2, meaning: "A digest does not follow the grammar of the image specification." },
  "invalid-platform": { exitStatus: 2, meaning: "A platform is not of the form os/arch[/variant][:osversion]." },
  "invalid-manifest-file": { exitStatus: 2, meaning: "The library manifest (YAML) breaks its schema." },
  "invalid-configuration": { exitStatus: 2, meaning: "A configuration file or environment variable cannot be used." },
  "invalid-input": { exitStatus: 2, meaning: "A file or a value given by the user cannot be used." },
  "ambiguous-reference": {
    exitStatus: 2,
    meaning: "A reference matches more than one entry, or none was named and there are several.",
  },
  "owned-flag": { exitStatus: 2, meaning: "A flag for buildx is owned by the manifest or by the policy." },
  "already-exists": { exitStatus: 2, meaning: "A file that would be written exists already." },
  "build-missing": {
    exitStatus: 2,
    meaning: "There is no build to publish, or it is running, failed, or older than its manifest.",
  },
  "tool-token": { exitStatus: 2, meaning: "A tool definition holds a token that cannot be filled." },
  // The answer is no: exit 1
  "tag-moved": { exitStatus: 1, meaning: "A tag exists and points elsewhere, and moving it was not allowed." },
  // Could not be done: exit 3
  "not-found": { exitStatus: 3, meaning: "What was asked for does not exist in that place." },
  "digest-mismatch": { exitStatus: 3, meaning: "Content does not have the digest it was asked for by." },
  "size-mismatch": { exitStatus: 3, meaning: "Content is longer or shorter than its descriptor says." },
  "unsupported-digest": {
    exitStatus: 3,
    meaning: "A digest algorithm cannot be computed, so the content cannot be accepted.",
  },
  "malformed-json": { exitStatus: 3, meaning: "JSON is not well-formed, too large, too deep, or has duplicate keys." },
  "malformed-content": { exitStatus: 3, meaning: "A manifest, index, config or layout file breaks its specification." },
  "unsupported-content": { exitStatus: 3, meaning: "Content is of a type that this operation cannot use." },
  "malformed-archive": { exitStatus: 3, meaning: "A tar archive is broken or holds entries that are not allowed." },
  "limit-exceeded": { exitStatus: 3, meaning: "Content exceeds a bound that keeps the program safe." },
  "blob-missing": { exitStatus: 3, meaning: "A graph is incomplete: blobs are absent from their place." },
  "registry-error": { exitStatus: 3, meaning: "A registry answered with an error." },
  unauthorized: { exitStatus: 3, meaning: "A registry wants other credentials, or denies the access." },
  "network-error": { exitStatus: 3, meaning: "A connection could not be made, or broke." },
  "insecure-refused": { exitStatus: 3, meaning: "A step would have sent content or credentials over an unsafe way." },
  unsupported: { exitStatus: 3, meaning: "The place does not support what was asked of it." },
  "tool-missing": { exitStatus: 3, meaning: "An outside program is needed and not there." },
  "tool-failed": { exitStatus: 3, meaning: "An outside program failed." },
  "io-error": { exitStatus: 3, meaning: "A file could not be read or written." },
  locked: { exitStatus: 3, meaning: "Another process held a lock for too long." },
  incomplete: { exitStatus: 3, meaning: "Only a part was done; the report says what landed and how to go on." },
  // Others
  interrupted: { exitStatus: 130, meaning: "The user interrupted the program." },
  internal: { exitStatus: 70, meaning: "A bug in the program: please report it." },
} as const satisfies Readonly<Record<string, CodeEntry>>;

/** A key of `errorCodes`. */
export type ErrorCode = keyof typeof errorCodes;
