import type { Io } from "../core/content.ts";
import type { NetworkSettings } from "../core/context.ts";
import type { Http, Random, Run, State } from "../core/ports.ts";
import { type CredentialSource, loadCredentials } from "./credentials.ts";
import { defaultRetrySettings, type RetrySettings } from "./retry.ts";

/** What a session is made of; a Context has it all. */
export interface SessionParts {
  readonly http: Http;
  readonly run: Run;
  readonly random: Random;
  readonly state: State;
  readonly network: NetworkSettings;
  readonly env: Readonly<Record<string, string | undefined>>;
  now(): Date;
  sleep(milliseconds: number): Promise<void>;
}

/** How a registry asked to be authenticated, remembered so that later requests need not be refused first. */
export type HostChallenge =
  | { readonly scheme: "basic" }
  | { readonly scheme: "bearer"; readonly realm: string; readonly service: string | undefined };

/** A token of a registry, or one on its way. */
export interface CachedToken {
  readonly token: string;
  /** Milliseconds since the epoch after which it is not used. */
  readonly usableUntil: number;
}

/** What was learned of one registry; shared by all of its repositories, and changed as more is learned. */
export interface HostState {
  /** Known since the first answer. */
  protocol: "http:" | "https:" | undefined;
  challenge: HostChallenge | undefined;
  /** Whether `?tag=` is honoured on a manifest's PUT; undefined until it was tried. */
  multipleTags: boolean | undefined;
  /** By repository: whether the referrers API is there. */
  readonly referrers: Map<string, "api" | "tag">;
  /** By service and sorted scopes; fetched once however many ask at a time. */
  readonly tokens: Map<string, Promise<CachedToken>>;
  /** By the scopes that were asked for: those that the registry's challenge added. */
  readonly widened: Map<string, readonly string[]>;
}

/** What all registries of one command share: the way out, credentials, tokens, and what was learned of each host. */
export interface RegistrySession extends SessionParts {
  readonly credentials: CredentialSource;
  readonly retry: RetrySettings;
  host(registry: string): HostState;
  /** Runs `body` while no other body with this key runs in this process. */
  exclusive<T>(key: string, body: () => Promise<T>): Promise<T>;
  /** Emits the warning unless the session did so before; after 100 different ones it stays silent. */
  warnOnce(code: string, message: string, io: Io): void;
}

/** A session that knows nothing yet; made once a command. `choices` replace where credentials come from and how often is retried. */
export function createRegistrySession(
  parts: SessionParts,
  choices: { readonly credentials?: CredentialSource; readonly retry?: RetrySettings } = {},
): RegistrySession {
  const hosts = new Map<string, HostState>();
  const queues = new Map<string, Promise<unknown>>();
  const warnings = new Set<string>();
  return {
    http: parts.http,
    run: parts.run,
    random: parts.random,
    state: parts.state,
    network: parts.network,
    env: parts.env,
    now: () => parts.now(),
    sleep: (milliseconds) => parts.sleep(milliseconds),
    credentials: choices.credentials ?? loadCredentials(parts),
    retry: choices.retry ?? defaultRetrySettings,
    host(registry) {
      let host = hosts.get(registry);
      if (!host) {
        host = {
          protocol: undefined,
          challenge: undefined,
          multipleTags: undefined,
          referrers: new Map(),
          tokens: new Map(),
          widened: new Map(),
        };
        hosts.set(registry, host);
      }
      return host;
    },
    async exclusive(key, body) {
      const before = queues.get(key) ?? Promise.resolve();
      const turn = before.then(body, body);
      queues.set(key, turn);
      try {
        return await turn;
      } finally {
        if (queues.get(key) === turn) queues.delete(key);
      }
    },
    warnOnce(code, message, io) {
      const key = `${code} ${message}`;
      if (warnings.size >= 100 || warnings.has(key)) return;
      warnings.add(key);
      io.emit({ kind: "warning", code, message });
    },
  };
}
