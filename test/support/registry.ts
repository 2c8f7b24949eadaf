import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hashSync } from "bcryptjs";
import type { Event } from "../../src/core/event.ts";
import type { RunningServer, ServeOptions, ServerRequest } from "../../src/core/ports.ts";
import { makeRuntime } from "../../src/runtime/mod.ts";
import { createRegistry } from "../../src/server/registry.ts";
import { countingFaults, type FaultCounts, type Faults, withFaults } from "./faults.ts";
import { startRelay } from "./relay.ts";
import { tokenAuth } from "./token-auth.ts";

export interface TestRegistryOptions {
  /** The folder of the layouts; without it a temporary one, which `stop` removes. */
  readonly root?: string;
  readonly readOnly?: boolean;
  /** Name and password of users for Basic authentication. */
  readonly users?: Readonly<Record<string, string>>;
  readonly faults?: Faults;
}

/** A request as it came, without its body. */
export interface LoggedRequest {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly headers: Headers;
}

export interface TestRegistry {
  /** `127.0.0.1:port`. */
  readonly host: string;
  readonly url: string;
  readonly root: string;
  /** How often each fault fired. */
  readonly faults: FaultCounts;
  readonly requests: LoggedRequest[];
  /** What came to the second host that `redirectBlobs` sends clients to. */
  readonly storageRequests: LoggedRequest[];
  readonly events: Event[];
  stop(): Promise<void>;
}

/** The product's own registry on a free port of 127.0.0.1, with the faults that a test asks for. */
export async function startTestRegistry(options: TestRegistryOptions = {}): Promise<TestRegistry> {
  const root = options.root ?? (await mkdtemp(join(tmpdir(), "library-registry-")));
  const ended = new AbortController();
  const network = {
    plainHttp: false,
    insecureRegistries: [],
    caFiles: [],
    authFile: undefined,
    concurrency: 16,
  };
  const runtime = makeRuntime({ network, env: {}, signal: ended.signal });
  const events: Event[] = [];
  const requests: LoggedRequest[] = [];
  const storageRequests: LoggedRequest[] = [];
  const counts = countingFaults();
  const faults = options.faults ?? {};

  const ports = { ...runtime, emit: (event: Event) => void events.push(event) };
  const users = Object.entries(options.users ?? {}).map(([name, password]) => `${name}:${hashSync(password, 4)}`);
  const product = createRegistry(root, ports, {
    readOnly: options.readOnly ?? false,
    ...(users.length > 0 ? { htpasswd: { file: "htpasswd", text: users.join("\n") } } : {}),
  });

  const servers: RunningServer[] = [];
  const start = async (handler: ServeOptions["handler"]): Promise<RunningServer> => {
    const server = await runtime.serve({ hostname: "127.0.0.1", port: 0, handler });
    servers.push(server);
    return server;
  };
  const storage = faults.redirectBlobs
    ? await start(logging(storageRequests, async (request) => product({ ...request, headers: new Headers() })))
    : undefined;
  let handler = withFaults(product, faults, counts, storage?.url);
  if (faults.tokenAuth) handler = tokenAuth(handler, faults.tokenAuth, () => counts.tokenAuth++);
  const server = await start(logging(requests, handler));
  const relay = faults.cutConnections
    ? await startRelay(server.port, faults.cutConnections, () => counts.cutConnections++)
    : undefined;
  const host = `127.0.0.1:${relay?.port ?? server.port}`;

  return {
    host,
    url: `http://${host}`,
    root,
    faults: counts,
    requests,
    storageRequests,
    events,
    async stop() {
      await relay?.stop();
      for (const running of servers) await running.stop(0);
      ended.abort();
      await runtime.close();
      if (options.root === undefined) await rm(root, { recursive: true });
    },
  };
}

function logging(log: LoggedRequest[], handler: ServeOptions["handler"]): ServeOptions["handler"] {
  return async (request: ServerRequest) => {
    log.push({ method: request.method, path: request.target, headers: request.headers });
    return handler(request);
  };
}
