import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type HostileAnswer, hostileGraph, hostileRegistry, plainManifest, sha256 } from "../support/hostile.ts";
import {
  anotherManifest,
  challenge,
  endless,
  headers,
  onBlob,
  onManifest,
  redirect,
  tokens,
} from "../support/hostile-answers.ts";
import { runLibrary } from "../support/program.ts";
import { expectRefused } from "../support/refused.ts";

const timeoutMs = 60_000;
const good = hostileGraph(plainManifest());
const blob = (digest: string) => `blobs/${digest.replace(":", "/")}`;

interface RegistryCase {
  readonly row: number;
  readonly name: string;
  readonly code: string;
  readonly answer: HostileAnswer;
  /** What is copied, `HOST/a:1` unless told. */
  readonly reference?: string;
}

const registries: readonly RegistryCase[] = [
  {
    row: 14,
    name: "a manifest that says it has 5 MiB",
    code: "limit-exceeded",
    answer: onManifest((_, response) => void response.writeHead(200, headers(5 << 20)).end(Buffer.alloc(5 << 20, 32))),
  },
  { row: 14, name: "a manifest without an end", code: "limit-exceeded", answer: onManifest(endless) },
  {
    row: 25,
    name: "another manifest than the digest's",
    code: "digest-mismatch",
    reference: `a@sha256:${"0".repeat(64)}`,
    answer: onManifest(anotherManifest),
  },
  {
    row: 25,
    name: "other bytes for a blob",
    code: "digest-mismatch",
    answer: onBlob((_, response) => void response.end("A layer that nobody unpacks\n")),
  },
  {
    row: 28,
    name: "a redirect to a file",
    code: "insecure-refused",
    answer: onBlob(redirect(() => "file:///etc/passwd")),
  },
  {
    row: 28,
    name: "a redirect in a circle",
    code: "registry-error",
    answer: onBlob(redirect((request) => request.url ?? "")),
  },
  {
    row: 29,
    name: "a realm that is no host of ours",
    code: "insecure-refused",
    answer: challenge('Bearer realm="http://auth.example.org/token",service="s"'),
  },
  {
    row: 30,
    name: "a challenge with a megabyte of quotes",
    code: "unauthorized",
    answer: challenge(`Bearer realm="${'\\"'.repeat(4000)}`),
  },
  { row: 31, name: "a token that is a page", code: "registry-error", answer: tokens("<html>") },
  {
    row: 31,
    name: "a token with a line end",
    code: "registry-error",
    answer: tokens(JSON.stringify({ token: "a\r\nb: c" })),
  },
  {
    row: 43,
    name: "a blob that is longer than it says",
    code: "size-mismatch",
    answer: onBlob((_, response) => void response.end(Buffer.alloc(100, 97))),
  },
  {
    row: 43,
    name: "a manifest with 204",
    code: "registry-error",
    answer: onManifest((_, response) => void response.writeHead(204).end()),
  },
  {
    row: 45,
    name: "an error that paints the terminal",
    code: "registry-error",
    answer: onManifest(
      (_, response) =>
        void response
          .writeHead(400)
          .end(JSON.stringify({ errors: [{ code: "X", message: "\u001b[31m\u001b]0;title\u0007\r\u202e red" }] })),
    ),
  },
];

describe("adversarial registries", () => {
  let dir = "";
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), "library-adversarial-"));
  });
  afterAll(() => rm(dir, { recursive: true, force: true }));

  test.each(registries)(
    "row $row: a registry with $name is refused with $code",
    async ({ answer, reference, code }) => {
      const folder = await mkdtemp(join(dir, "registry-"));
      const registry = await hostileRegistry(good, answer);
      try {
        await expectRefused(`${registry.host}/${reference ?? "a:1"}`, code, folder);
      } finally {
        await registry.stop();
      }
    },
    timeoutMs,
  );

  test(
    "row 15: tags that lead in a circle of pages end with registry-error",
    async () => {
      const registry = await hostileRegistry(good, (request, response) => {
        if (!request.url?.includes("/tags/list")) return false;
        response.writeHead(200, { "content-type": "application/json", link: `<${request.url}>; rel="next"` });
        response.end(JSON.stringify({ name: "a", tags: ["1"] }));
        return true;
      });
      try {
        const { status, stdout } = await runLibrary(["tags", "--json", `${registry.host}/a`]);
        expect({ status, code: JSON.parse(stdout.toString()).errors[0]?.code }).toEqual({
          status: 3,
          code: "registry-error",
        });
      } finally {
        await registry.stop();
      }
    },
    timeoutMs,
  );

  test(
    "row 26: a tag that changes between requests gives one image that is whole",
    async () => {
      const folder = await mkdtemp(join(dir, "moving-"));
      // What the tag named before can still be had by its digest
      const known = new Map<string, Buffer>();
      const registry = await hostileRegistry(good, (request, response) => {
        const reference = /\/manifests\/(.+)/.exec(request.url ?? "")?.[1];
        if (reference === undefined || (reference !== "1" && !known.has(reference))) return false;
        const next = JSON.stringify({ ...plainManifest(), annotations: { asked: `${known.size}` } });
        const bytes = known.get(reference) ?? Buffer.from(next);
        known.set(sha256(bytes), bytes);
        response.writeHead(200, { ...headers(bytes.byteLength), "docker-content-digest": sha256(bytes) });
        response.end(request.method === "HEAD" ? undefined : bytes);
        return true;
      });
      try {
        const { status, stderr } = await runLibrary(["copy", `${registry.host}/a:1`, "oci:out:1"], { cwd: folder });
        expect({ status, stderr: status === 0 ? "" : stderr }).toEqual({ status: 0, stderr: "" });
        const { manifests } = JSON.parse(await readFile(join(folder, "out/index.json"), "utf8"));
        expect(sha256(await readFile(join(folder, "out", blob(manifests[0].digest))))).toBe(manifests[0].digest);
      } finally {
        await registry.stop();
      }
    },
    timeoutMs,
  );

  test(
    "row 50: a credential helper is run by its plain name only, and its secrets stay secret",
    async () => {
      const folder = await mkdtemp(join(dir, "helper-"));
      await writeFile(
        join(folder, "docker-credential-leaky"),
        '#!/bin/sh\necho "secret-of-ada" >&2\necho "secret-of-ada"\nexit 1\n',
      );
      await chmod(join(folder, "docker-credential-leaky"), 0o755);
      const registry = await hostileRegistry(good, challenge('Basic realm="r"'));
      const env = { PATH: `${folder}:${process.env.PATH}`, DOCKER_CONFIG: folder };
      try {
        for (const credsStore of ["../leaky", "leaky"]) {
          await writeFile(join(folder, "config.json"), JSON.stringify({ credsStore }));
          const { status, stdout, stderr } = await runLibrary(["tags", "--json", "--debug", `${registry.host}/a`], {
            env,
          });
          expect([2, 3]).toContain(status);
          expect(`${stdout}${stderr}`).not.toContain("secret-of-ada");
        }
      } finally {
        await registry.stop();
      }
    },
    timeoutMs,
  );
});
