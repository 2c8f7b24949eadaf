import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import * as v from "valibot";
import { replaceFile } from "../core/durable-file.ts";
import { LibraryError } from "../core/error.ts";
import { isJsonObject, type JsonObject, type JsonValue, parseJson } from "../core/json.ts";
import type { Random } from "../core/ports.ts";
import { type Credential, decodeBasic, encodeBasic } from "./credential.ts";

/** A credentials file of Docker (config.json) or containers (auth.json), which have one shape. */
export interface CredentialFile {
  /** The path, or the name of the environment variable that held it. */
  readonly name: string;
  /** Everything in it, known or not. */
  readonly whole: JsonObject;
  readonly auths: ReadonlyMap<string, Credential | undefined>;
  readonly credHelpers: ReadonlyMap<string, string>;
  readonly credsStore: string | undefined;
}

const maxFileBytes = 1024 * 1024;
const optionalText = v.optional(v.nullable(v.string()));
const entrySchema = v.looseObject({
  auth: optionalText,
  username: optionalText,
  password: optionalText,
  identitytoken: optionalText,
  registrytoken: optionalText,
});
const fileSchema = v.looseObject({
  auths: v.optional(v.nullable(v.record(v.string(), v.nullable(entrySchema)))),
  credHelpers: v.optional(v.nullable(v.record(v.string(), v.string()))),
  credsStore: optionalText,
});

/** The file at `path`; undefined where there is none. Throws `invalid-configuration` or `io-error`. */
export async function readCredentialFile(path: string): Promise<CredentialFile | undefined> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    if (isMissing(cause)) return undefined;
    throw new LibraryError("io-error", `Cannot read ${path}: ${String((cause as Error).message)}`, { cause });
  }
  return parseCredentialFile(bytes, path);
}

/** The content of a credentials file, which `name` names in errors; an empty one is an empty object. */
export function parseCredentialFile(bytes: Uint8Array, name: string): CredentialFile {
  let value: JsonValue;
  try {
    value = bytes.byteLength === 0 ? {} : parseJson(bytes, name, { maxBytes: maxFileBytes });
  } catch (cause) {
    // The message tells a position and quotes nothing but names of properties
    throw invalid(name, cause instanceof Error ? cause.message.replace(/^Cannot read [^:]*: /, "") : "not JSON");
  }
  const parsed = v.safeParse(fileSchema, value);
  if (!parsed.success || !isJsonObject(value)) {
    throw invalid(name, "not of the shape of a credentials file");
  }
  const { auths, credHelpers, credsStore } = parsed.output;
  return {
    name,
    whole: value,
    auths: new Map(Object.entries(auths ?? {}).map(([key, entry]) => [key, entry ? toCredential(entry) : undefined])),
    credHelpers: new Map(Object.entries(credHelpers ?? {})),
    credsStore: credsStore || undefined,
  };
}

/**
 * Puts or, for `undefined`, removes the entry of a key; everything else in the file stays. The file is replaced in one
 * step and readable by its owner only. `credential: "elsewhere"` leaves the empty mark of a helper's entry.
 */
export async function writeCredentialEntry(
  path: string,
  key: string,
  credential: Credential | "elsewhere" | undefined,
  random: Pick<Random, "hex">,
): Promise<void> {
  const file = await readCredentialFile(path);
  const whole: Record<string, JsonValue> = { ...file?.whole };
  const auths: Record<string, JsonValue> = { ...(isJsonObject(whole.auths) ? whole.auths : {}) };
  if (credential === undefined) delete auths[key];
  else auths[key] = credential === "elsewhere" ? {} : toEntry(credential);
  whole.auths = auths;
  await write(path, `${JSON.stringify(whole, undefined, "\t")}\n`, random);
}

async function write(path: string, text: string, random: Pick<Random, "hex">): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await replaceFile(path, random, (temporary) => writeFile(temporary, text), 0o600);
  } catch (cause) {
    throw new LibraryError("io-error", `Cannot write ${path}: ${String((cause as Error).message)}`, { cause });
  }
}

function toCredential(entry: v.InferOutput<typeof entrySchema>): Credential | undefined {
  if (entry.registrytoken) return { kind: "registry-token", token: entry.registrytoken };
  const basic = entry.auth ? decodeBasic(entry.auth) : undefined;
  const username = entry.username || basic?.username;
  if (entry.identitytoken) return { kind: "identity-token", username, token: entry.identitytoken };
  const password = entry.password || basic?.password;
  return username && password !== undefined ? { kind: "basic", username, password } : undefined;
}

function toEntry(credential: Credential): JsonObject {
  if (credential.kind === "basic") return { auth: encodeBasic(credential.username, credential.password) };
  if (credential.kind === "registry-token") return { registrytoken: credential.token };
  return { auth: encodeBasic(credential.username ?? "<token>", ""), identitytoken: credential.token };
}

function isMissing(cause: unknown): boolean {
  const code = typeof cause === "object" && cause !== null && "code" in cause ? cause.code : undefined;
  return code === "ENOENT" || code === "ENOTDIR";
}

function invalid(name: string, problem: string): LibraryError {
  return new LibraryError("invalid-configuration", `Cannot read credentials from ${name}: ${problem}`, {
    hint: `Repair ${name}, or name another file with --authfile`,
  });
}
