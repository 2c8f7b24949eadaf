import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expectGolden } from "../support/golden.ts";
import { describeWithPeers } from "../support/peers.ts";
import { registryPrograms } from "../support/registries.ts";
import { verbs } from "../support/registry-verbs.ts";
import { makeSample, sampleNames, writeSampleLayout } from "../support/samples.ts";
import {
  Refused,
  startVerbRegistry,
  type VerbRegistry,
  type VerbRegistryKind,
  verbRegistries,
} from "../support/verb-registry.ts";

interface Refusal {
  readonly code: string;
  /** What of the registry makes it so, for the page. */
  readonly reason: string;
}

/** Every cell that is not "done", by the registry and the name of the verb. */
const refusals: Readonly<Record<VerbRegistryKind, Readonly<Record<string, Refusal>>>> = {
  ours: {},
  olareg: {},
  distribution3: {
    "`copy` of a sha512 manifest": { code: "unsupported-digest", reason: "it takes manifests by sha256 only" },
  },
  distribution2: {
    "`copy` of a sha512 manifest": { code: "unsupported-digest", reason: "it takes manifests by sha256 only" },
    "`delete` of a tag, which leaves the others": {
      code: "unsupported",
      reason: "it deletes by digest only, and the other tags of the image would go with it",
    },
  },
  crane: {
    "`copy` of sha512 blobs": { code: "unsupported-digest", reason: "it knows sha256 only" },
    "`copy` of a sha512 manifest": { code: "unsupported-digest", reason: "it knows sha256 only" },
  },
};

const kinds = Object.keys(verbRegistries) as readonly VerbRegistryKind[];
const programs = Object.values(registryPrograms);
const timeoutMs = 60_000;

describeWithPeers(programs, "verbs at registries", () => {
  const cells = new Map<string, string>();
  let folder = "";
  const samples = () => join(folder, "samples");

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "library-verbs-"));
    await writeSampleLayout(samples(), new Map(sampleNames.map((name) => [name, makeSample(name)])));
  }, timeoutMs);
  afterAll(async () => {
    await rm(folder, { recursive: true, force: true });
  }, timeoutMs);

  for (const kind of kinds) {
    let registry: VerbRegistry | undefined;

    test(
      `${verbRegistries[kind]} starts`,
      async () => {
        await mkdir(join(folder, kind));
        registry = await startVerbRegistry(kind, join(folder, kind));
      },
      timeoutMs,
    );

    for (const { name, run } of verbs) {
      const refusal = refusals[kind][name];
      test(
        `${name} at ${verbRegistries[kind]} is ${refusal ? `refused with ${refusal.code}` : "done"}`,
        async () => {
          if (registry === undefined) throw new Error("the registry did not start");
          if (refusal === undefined) {
            const told = await run(registry, samples());
            cells.set(`${kind} ${name}`, told === undefined ? "done" : `done: ${told}`);
            return;
          }
          const error = await run(registry, samples()).then(
            () => undefined,
            (thrown: unknown) => thrown,
          );
          if (!(error instanceof Refused)) throw error ?? new Error("it was done");
          expect({ code: error.code, exitCode: error.exitCode }).toEqual({ code: refusal.code, exitCode: 3 });
          cells.set(`${kind} ${name}`, `\`${error.code}\`: ${refusal.reason}`);
        },
        timeoutMs,
      );
    }

    test(`${verbRegistries[kind]} stops`, async () => {
      await registry?.stop();
    });
  }

  test("docs/registries.md is what these tests saw", async () => {
    const missing = kinds.flatMap((kind) => verbs.filter(({ name }) => !cells.has(`${kind} ${name}`)));
    expect(missing.map(({ name }) => name)).toEqual([]);
    await expectGolden(new URL("../../docs/registries.md", import.meta.url), page(cells));
  });
});

function page(cells: ReadonlyMap<string, string>): string {
  const row = (cellsOfRow: readonly string[]) => `| ${cellsOfRow.join(" | ")} |`;
  const rows = verbs.map(({ name }) => row([name, ...kinds.map((kind) => cells.get(`${kind} ${name}`) ?? "")]));
  return `# Registries

<!-- Generated: UPDATE_GOLDEN=1 bun test ./test/interop/registries.test.ts -->

What the executable does at five registries, as the interop tests see it: each cell is the outcome of a run against the real program. "done" means that the result was checked too, every digest computed again from the bytes. Anything else is the code of the refusal, exit status 3, and what of the registry makes it so; a refused verb leaves every tag as it was.

${row(["", ...kinds.map((kind) => verbRegistries[kind])])}
${row(["---", ...kinds.map(() => "---")])}
${rows.join("\n")}
`;
}
