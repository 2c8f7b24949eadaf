import type { Context } from "../core/context.ts";
import type { Report } from "../core/report.ts";
import { parseExplicitReference, parseRegistry } from "../oci/reference.ts";
import { pingRegistry, type RegistryPing } from "../registry/ping.ts";
import { registrySession } from "./open.ts";

/** What to ask. */
export interface PingInput {
  /** `host[:port]`, or with a repository behind it. */
  readonly registry: string;
}

/** What the registry says of itself. */
export interface PingReport extends Report, Omit<RegistryPing, "status"> {
  /** Of the answer to `GET /v2/`. */
  readonly httpStatus: number;
}

/** A registry answered; what it says of itself. Throws `network-error` or `registry-error` where none does. */
export async function ping(context: Context, input: PingInput): Promise<PingReport> {
  const { registry, repository } = target(input.registry);
  const { status, ...answer } = await pingRegistry(await registrySession(context), registry, repository, context);
  return { status: "ok", httpStatus: status, ...answer };
}

function target(text: string): { readonly registry: string; readonly repository?: string } {
  const bare = text.replace(/^(?:docker|https?):\/\//, "").replace(/\/+$/, "");
  if (!bare.includes("/")) return { registry: parseRegistry(bare) };
  const { location } = parseExplicitReference(bare);
  return location.kind === "registry" ? location : { registry: parseRegistry(bare) };
}
