import type { Context } from "../core/context.ts";
import { RegistryError, UsageError } from "../core/error.ts";
import type { Report } from "../core/report.ts";
import { parseRegistry } from "../oci/reference.ts";
import type { Credential } from "../registry/credential.ts";
import { eraseCredentials, storeCredentials } from "../registry/credentials.ts";
import { checkCredential } from "../registry/ping.ts";

/** The longest password or token that is read. */
const maxSecretBytes = 64 * 1024;

/** The registry, and how the credentials come. */
export interface LoginInput {
  readonly registry: string;
  readonly username?: string | undefined;
  /** The password is standard input, without its last line end. */
  readonly passwordStdin: boolean;
  /** An OAuth2 refresh token is standard input, without its last line end. */
  readonly identityTokenStdin: boolean;
}

/** Where the credentials are kept now. */
export interface LoginReport extends Report {
  readonly registry: string;
  /** The file or the helper that keeps the credentials. */
  readonly where: string;
}

/** The registry took the credentials, and they are kept for later commands. Throws `unauthorized` where it did not. */
export async function login(context: Context, input: LoginInput): Promise<LoginReport> {
  const registry = parseRegistry(input.registry);
  const credential = await askCredential(context, registry, input);
  if ((await checked(context, registry, credential)) === "not-asked") {
    const message = `${registry} asks for no credentials; they are kept without having been tried`;
    context.emit({ kind: "warning", code: "no-authentication", message });
  }
  const { where } = await storeCredentials(context, registry, credential, context);
  return { status: "ok", registry, where };
}

/** What was erased, and what this program cannot erase. */
export interface LogoutReport extends Report {
  readonly registry: string;
  readonly erased: boolean;
  /** Places that hold credentials for the registry still. */
  readonly remaining: readonly string[];
}

/** No credentials for the registry are left where `login` keeps them. */
export async function logout(context: Context, input: { readonly registry: string }): Promise<LogoutReport> {
  const registry = parseRegistry(input.registry);
  return { status: "ok", registry, ...(await eraseCredentials(context, registry, context)) };
}

async function checked(context: Context, registry: string, credential: Credential): Promise<"accepted" | "not-asked"> {
  try {
    return await checkCredential(context, registry, credential, context);
  } catch (error) {
    // Its hint, to log in, would be no help here. After a 403 the registry knows the user
    if (!(error instanceof RegistryError) || error.code !== "unauthorized" || error.refusal.status === 403) throw error;
    const what = credential.kind === "basic" ? "the user name or the password is" : "the identity token is";
    throw new RegistryError("unauthorized", `Cannot log in to ${registry}: ${what} wrong`, error.refusal, {
      hint: `Run "library login ${registry}" again, with what the registry gave you`,
      cause: error,
    });
  }
}

async function askCredential(context: Context, registry: string, input: LoginInput): Promise<Credential> {
  if (input.identityTokenStdin) {
    const token = await readSecret(context, "token");
    return { kind: "identity-token", username: input.username, token };
  }
  const { terminal } = context;
  if (!input.passwordStdin && !terminal.stdinIsTerminal) {
    throw new UsageError(`Cannot log in to ${registry}: nobody is there to ask for the password`, {
      hint: "Give --username NAME --password-stdin and the password on standard input",
    });
  }
  if (input.passwordStdin && input.username === undefined) {
    throw new UsageError(`Cannot log in to ${registry}: --password-stdin needs --username`);
  }
  const username = input.username ?? (await terminal.ask(`User name for ${registry}: `))?.trim();
  const password = input.passwordStdin
    ? await readSecret(context, "password")
    : await terminal.ask(`Password for ${registry}: `, { hidden: true });
  if (!username || !password) throw new UsageError(`Cannot log in to ${registry}: no user name or password was given`);
  return { kind: "basic", username, password };
}

async function readSecret(context: Context, what: string): Promise<string> {
  const text = new TextDecoder().decode(await context.terminal.readStdin(maxSecretBytes)).replace(/\r?\n$/, "");
  if (text === "") throw new UsageError(`Cannot log in: standard input holds no ${what}`);
  return text;
}
