import { RegistryBackend } from "../../src/registry/backend.ts";
import { fill } from "../contract/sample.ts";
import { describeSource, type OpenSource } from "../contract/source.ts";
import { describeRewriting, describeTarget, type TargetPlace } from "../contract/target.ts";
import type { Faults } from "../support/faults.ts";
import { startTestRegistry } from "../support/registry.ts";
import { testSession } from "../support/session.ts";

const openRegistry = (faults: Faults) => async (): Promise<TargetPlace> => {
  const registry = await startTestRegistry({ faults });
  const location = { kind: "registry", registry: registry.host, repository: "contract/place" } as const;
  const opened: RegistryBackend[] = [];
  const open = (): RegistryBackend => {
    const backend = new RegistryBackend(location, testSession());
    opened.push(backend);
    return backend;
  };
  return {
    target: open(),
    read: async () => open(),
    // An upload that was broken off is the registry's to forget: it may still be reading it when it is cancelled
    remains: async () => [],
    close: async () => {
      for (const backend of opened) await backend.close();
      await registry.stop();
    },
  };
};

const filled =
  (open: () => Promise<TargetPlace>): OpenSource =>
  async (backend, roots) => {
    const place = await open();
    await fill(place.target, backend, roots);
    const source = await place.read();
    if (source === undefined) throw new Error("a registry can always be read");
    return { source, close: place.close };
  };

for (const [name, faults] of [
  ["RegistryBackend", {}],
  ["RegistryBackend without the referrers API", { noReferrersApi: true }],
] as const) {
  describeSource(name, filled(openRegistry(faults)), { needsReference: true });
  describeTarget(name, openRegistry(faults));
  describeRewriting(name, openRegistry(faults));
}
