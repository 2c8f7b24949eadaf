import { join } from "node:path";
import type { Io } from "../core/content.ts";
import type { NetworkSettings } from "../core/context.ts";
import { InvalidInputError } from "../core/error.ts";
import type { Random, Run, State } from "../core/ports.ts";
import { type Credential, credentialKey, credentialKeys, decodeBasic } from "./credential.ts";
import {
  type CredentialFile,
  parseCredentialFile,
  readCredentialFile,
  writeCredentialEntry,
} from "./credential-file.ts";
import { type CredentialHelper, credentialHelper, isHelperFailure } from "./credential-helper.ts";

/** What finding credentials takes; a Context has it all. */
export interface CredentialParts {
  readonly run: Run;
  readonly random: Random;
  readonly state: State;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly network: NetworkSettings;
}

/** Where the client asks for credentials, only after a registry has asked for them. */
export interface CredentialSource {
  /** Undefined where no source has any: the request is then made anonymously. */
  find(registry: string, repository: string | undefined, io: Io): Promise<Credential | undefined>;
}

/**
 * Credentials from, in this order: the file of `--authfile` alone; or `DOCKER_AUTH_CONFIG`, `CNB_REGISTRY_AUTH`,
 * `REGISTRY_AUTH_FILE`, Docker's config.json (`DOCKER_CONFIG`), containers' auth.json. In each file a helper named for
 * the registry comes first, then the entry, then the helper for all. Files are read once, at the first `find`; a helper
 * that fails is a warning, and the next source is asked. Throws `invalid-configuration` for a broken file.
 */
export function loadCredentials(parts: CredentialParts): CredentialSource {
  let files: Promise<readonly CredentialFile[]> | undefined;
  const found = new Map<string, Promise<Credential | undefined>>();
  return {
    find(registry, repository, io) {
      const key = `${registry}/${repository ?? ""}`;
      const known = found.get(key);
      if (known) return known;
      files ??= readFiles(parts);
      const search = files.then((list) => findIn(parts, list, registry, repository, io));
      found.set(key, search);
      // A failure (or an abort) is no answer to keep
      search.catch(() => found.delete(key));
      return search;
    },
  };
}

/** Where credentials were put. */
export interface StoredCredentials {
  /** The file, or the helper's program. */
  readonly where: string;
  /** The file holds them readable by whoever reads the file. */
  readonly plainText: boolean;
}

/**
 * Keeps the credential for the registry, in the helper that the user's file names for it, else in the file itself
 * (mode 0600, other entries kept); before the latter the event `plain-text-credentials` warns.
 * Throws `invalid-input` for a user name that cannot be kept, `tool-missing`, `tool-failed`, `io-error`.
 */
export async function storeCredentials(
  parts: CredentialParts,
  registry: string,
  credential: Credential,
  io: Io,
): Promise<StoredCredentials> {
  if (credential.kind === "basic" && (credential.username === "" || credential.username.includes(":"))) {
    throw new InvalidInputError(
      `Cannot store credentials for ${registry}: a user name is neither empty nor has a colon`,
    );
  }
  const path = writablePath(parts);
  const key = credentialKey(registry);
  const chosen = chooseHelper(parts, await readCredentialFile(path), [key, registry]);
  if (chosen) {
    await chosen.helper.store(key, credential, io);
    await writeCredentialEntry(path, key, "elsewhere", parts.random);
    return { where: chosen.program, plainText: false };
  }
  io.emit({
    kind: "warning",
    code: "plain-text-credentials",
    message: `The credentials for ${registry} are kept unencrypted in ${path}; a credential helper (credsStore) avoids that`,
  });
  await writeCredentialEntry(path, key, credential, parts.random);
  return { where: path, plainText: true };
}

/** What erasing left. */
export interface ErasedCredentials {
  readonly erased: boolean;
  /** Files or variables that hold credentials for the registry still, as they are not this program's to write. */
  readonly remaining: readonly string[];
}

/** No credential for the registry is left in the file that `storeCredentials` writes, nor in its helper. */
export async function eraseCredentials(parts: CredentialParts, registry: string, io: Io): Promise<ErasedCredentials> {
  const path = writablePath(parts);
  const file = await readCredentialFile(path);
  const keys = credentialKeys(registry, undefined);
  const chosen = chooseHelper(parts, file, keys);
  let erased = chosen ? await chosen.helper.erase(credentialKey(registry), io) : false;
  for (const key of keys.filter((candidate) => file?.auths.has(candidate))) {
    await writeCredentialEntry(path, key, undefined, parts.random);
    erased = true;
  }
  const others = (await readFiles(parts)).filter((other) => keys.some((key) => other.auths.get(key) !== undefined));
  return { erased, remaining: others.map((other) => other.name) };
}

function writablePath({ env, state, network }: CredentialParts): string {
  return network.authFile ?? (env.REGISTRY_AUTH_FILE || dockerConfigPath(env, state));
}

function dockerConfigPath(env: CredentialParts["env"], state: State): string {
  return join(env.DOCKER_CONFIG || join(state.home, ".docker"), "config.json");
}

async function readFiles(parts: CredentialParts): Promise<readonly CredentialFile[]> {
  const { env, state, network } = parts;
  if (network.authFile !== undefined) {
    const file = await readCredentialFile(network.authFile);
    return file ? [file] : [];
  }
  const files: CredentialFile[] = [];
  if (env.DOCKER_AUTH_CONFIG) {
    files.push(parseCredentialFile(new TextEncoder().encode(env.DOCKER_AUTH_CONFIG), "DOCKER_AUTH_CONFIG"));
  }
  if (env.CNB_REGISTRY_AUTH) files.push(headersFile(env.CNB_REGISTRY_AUTH));
  const runtime = env.XDG_RUNTIME_DIR ? [join(env.XDG_RUNTIME_DIR, "containers/auth.json")] : [];
  const configured = join(env.XDG_CONFIG_HOME || join(state.home, ".config"), "containers/auth.json");
  const named = env.REGISTRY_AUTH_FILE ? [env.REGISTRY_AUTH_FILE] : [];
  for (const path of new Set([...named, dockerConfigPath(env, state), ...runtime, configured])) {
    const file = await readCredentialFile(path);
    if (file) files.push(file);
  }
  return files;
}

/** Buildpacks' `CNB_REGISTRY_AUTH`: an object from registry to the value of an Authorization header. */
function headersFile(text: string): CredentialFile {
  const raw = parseCredentialFile(new TextEncoder().encode(text), "CNB_REGISTRY_AUTH");
  const auths = new Map<string, Credential | undefined>();
  for (const [registry, header] of Object.entries(raw.whole)) {
    const match = typeof header === "string" ? /^(Basic|Bearer) +([\x21-\x7e]+)$/i.exec(header) : undefined;
    const [, scheme = "", value = ""] = match ?? [];
    const basic = scheme.toLowerCase() === "basic" ? decodeBasic(value) : undefined;
    if (basic) auths.set(registry, { kind: "basic", ...basic });
    else if (scheme.toLowerCase() === "bearer") auths.set(registry, { kind: "registry-token", token: value });
  }
  return { ...raw, auths };
}

async function findIn(
  parts: CredentialParts,
  files: readonly CredentialFile[],
  registry: string,
  repository: string | undefined,
  io: Io,
): Promise<Credential | undefined> {
  const keys = credentialKeys(registry, repository);
  for (const file of files) {
    const named = keys.find((key) => file.credHelpers.has(key));
    const fromNamed = named === undefined ? undefined : await ask(parts, file, file.credHelpers.get(named), named, io);
    if (fromNamed) return fromNamed;
    const entry = keys.map((key) => file.auths.get(key)).find((credential) => credential !== undefined);
    if (entry) return entry;
    const fromStore = await ask(parts, file, file.credsStore, credentialKey(registry), io);
    if (fromStore) return fromStore;
  }
  return undefined;
}

async function ask(
  parts: CredentialParts,
  file: CredentialFile,
  name: string | undefined,
  key: string,
  io: Io,
): Promise<Credential | undefined> {
  if (name === undefined) return undefined;
  try {
    return await credentialHelper(parts.run, name, file.name).get(key, io);
  } catch (error) {
    if (!isHelperFailure(error)) throw error;
    io.emit({ kind: "warning", code: "credential-helper-failed", message: `${error.message} (named in ${file.name})` });
    return undefined;
  }
}

function chooseHelper(
  parts: CredentialParts,
  file: CredentialFile | undefined,
  keys: readonly string[],
): { readonly helper: CredentialHelper; readonly program: string } | undefined {
  const key = keys.find((candidate) => file?.credHelpers.has(candidate));
  const name = (key === undefined ? undefined : file?.credHelpers.get(key)) ?? file?.credsStore;
  if (file === undefined || name === undefined) return undefined;
  return { helper: credentialHelper(parts.run, name, file.name), program: `docker-credential-${name}` };
}
