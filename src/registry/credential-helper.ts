import * as v from "valibot";
import type { Io } from "../core/content.ts";
import { isLibraryError, LibraryError } from "../core/error.ts";
import { parseJson } from "../core/json.ts";
import type { Run, RunResult } from "../core/ports.ts";
import type { Credential } from "./credential.ts";
import { printable } from "./printable.ts";

/** A program `docker-credential-NAME`, which keeps credentials outside of files. Nothing that it prints is ever shown. */
export interface CredentialHelper {
  /** Undefined where the helper keeps none for the key. Throws `tool-missing` or `tool-failed`. */
  get(key: string, io: Io): Promise<Credential | undefined>;
  store(key: string, credential: Credential, io: Io): Promise<void>;
  /** Whether there was something to erase. */
  erase(key: string, io: Io): Promise<boolean>;
}

const timeoutMs = 60_000;
const maxOutputBytes = 64 * 1024;
const answerSchema = v.looseObject({ Username: v.optional(v.string(), ""), Secret: v.string() });

/** The helper of that name; throws `invalid-configuration` for a name that could be a path or a flag. `where` names the file. */
export function credentialHelper(run: Run, name: string, where: string): CredentialHelper {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(name) || name.includes("..")) {
    throw new LibraryError(
      "invalid-configuration",
      `Cannot use the credential helper ${JSON.stringify(printable(name, 80))} of ${where}: not a helper's name`,
      { hint: "Write the part of its name after docker-credential-" },
    );
  }
  const program = `docker-credential-${name}`;

  async function call(verb: "get" | "store" | "erase", stdin: string, io: Io): Promise<RunResult> {
    return run([program, verb], { stdin, signal: io.signal, timeoutMs, limit: maxOutputBytes });
  }

  return {
    async get(key, io) {
      const result = await call("get", key, io);
      if (result.status !== 0) {
        if (isNotFound(result)) return undefined;
        throw failed(program, "get", result.status);
      }
      return readAnswer(program, result.stdout);
    },
    async store(key, credential, io) {
      const [Username, Secret] =
        credential.kind === "basic" ? [credential.username, credential.password] : ["<token>", credential.token];
      const result = await call("store", JSON.stringify({ ServerURL: key, Username, Secret }), io);
      if (result.status !== 0) throw failed(program, "store", result.status);
    },
    async erase(key, io) {
      const result = await call("erase", key, io);
      if (result.status === 0) return true;
      if (isNotFound(result)) return false;
      throw failed(program, "erase", result.status);
    },
  };
}

/** Whether the helper could not be asked, in contrast to a bug or an abort: then other sources may still answer. */
export function isHelperFailure(error: unknown): error is LibraryError {
  return isLibraryError(error, "tool-missing") || isLibraryError(error, "tool-failed");
}

function readAnswer(program: string, stdout: string): Credential | undefined {
  let value: unknown;
  try {
    value = parseJson(new TextEncoder().encode(stdout), program, { maxBytes: maxOutputBytes });
  } catch {
    // The cause would quote what was printed, and that may be the secret
    throw new LibraryError("tool-failed", `Cannot read credentials: ${program} get printed no JSON object`);
  }
  const parsed = v.safeParse(answerSchema, value);
  if (!parsed.success) {
    throw new LibraryError("tool-failed", `Cannot read credentials: ${program} get printed no Username and Secret`);
  }
  const { Username, Secret } = parsed.output;
  if (Secret === "") return undefined;
  if (Username === "<token>") return { kind: "identity-token", username: undefined, token: Secret };
  return { kind: "basic", username: Username, password: Secret };
}

/** docker-credential-helpers says it in words, on stdout, with status 1. */
function isNotFound(result: RunResult): boolean {
  return /credentials not found|no credentials|not found in native keychain/i.test(`${result.stdout}${result.stderr}`);
}

function failed(program: string, verb: string, status: number): LibraryError {
  return new LibraryError("tool-failed", `Cannot ${verb} credentials: ${program} ended with status ${status}`, {
    hint: `Run "${program} list" to see whether the helper works`,
  });
}
