import { describe, expect, test } from "bun:test";
import { chmod, readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { ToolMissingError } from "../../src/core/error.ts";
import type { Run, RunOptions } from "../../src/core/ports.ts";
import {
  type CredentialParts,
  eraseCredentials,
  loadCredentials,
  storeCredentials,
} from "../../src/registry/credentials.ts";
import { random } from "../../src/runtime/random.ts";
import { withFolder } from "../support/folder.ts";
import { testIo } from "../support/io.ts";

const auth = (username: string, password: string) => ({ auth: btoa(`${username}:${password}`) });
const file = (value: unknown) => JSON.stringify(value);
const ann = { kind: "basic", username: "ann", password: "a:b" } as const;

interface World {
  readonly env?: Readonly<Record<string, string>>;
  readonly run?: Run;
  readonly authFile?: string;
}

function parts(home: string, { env = {}, run, authFile }: World = {}): CredentialParts {
  const network = { plainHttp: false, insecureRegistries: [], caFiles: [], authFile, concurrency: 16 };
  const missing: Run = async ([program]) => {
    throw new ToolMissingError(`Cannot run ${program}: not found`);
  };
  return { run: run ?? missing, random, env, network, state: { home, config: home, cache: home, state: home } };
}

const find = (home: string, registry: string, repository?: string, world?: World, io = testIo()) =>
  loadCredentials(parts(home, world)).find(registry, repository, io);

/** A helper that answers; keeps what it was asked. */
function helper(status: number, stdout: string, stderr = "") {
  const calls: (RunOptions & { readonly argv: readonly string[] })[] = [];
  const run: Run = async (argv, options) => {
    calls.push({ ...options, argv });
    return { status, stdout, stderr };
  };
  return { calls, run };
}

describe("loadCredentials()", () => {
  test.each([
    ["r.example", "r.example"],
    ["https://r.example", "r.example"],
    ["https://r.example/v1/", "r.example"],
    ["https://index.docker.io/v1/", "docker.io"],
    ["docker.io", "docker.io"],
    ["r.example:5000", "r.example:5000"],
  ])("finds the entry %s of Docker's file for %s", async (key, registry) => {
    await withFolder({ ".docker/config.json": file({ auths: { [key]: auth("ann", "a:b") } }) }, async (home) => {
      expect(await find(home, registry, "x")).toEqual(ann);
    });
  });

  test("does not take the entry of another port, of a part of the name, or of a mark without content", async () => {
    const auths = { "r.example:5000": auth("ann", "x"), example: auth("ann", "x"), "other.example": {} };
    await withFolder({ ".docker/config.json": file({ auths }) }, async (home) => {
      expect(await find(home, "r.example")).toBeUndefined();
      expect(await find(home, "other.example")).toBeUndefined();
    });
  });

  test("prefers the longest prefix of the repository in containers' file", async () => {
    const auths = {
      "r.example": auth("host", "1"),
      "r.example/team": auth("team", "2"),
      "r.example/team/app": auth("app", "3"),
    };
    await withFolder({ ".config/containers/auth.json": file({ auths }) }, async (home) => {
      expect(await find(home, "r.example", "team/app")).toMatchObject({ username: "app" });
      expect(await find(home, "r.example", "team/application")).toMatchObject({ username: "team" });
      expect(await find(home, "r.example", "else")).toMatchObject({ username: "host" });
    });
  });

  test("asks the sources in order, and with --authfile that file alone", async () => {
    const one = (username: string) => file({ auths: { "r.example": auth(username, "x") } });
    const files = {
      "named.json": one("named"),
      "docker/config.json": one("docker"),
      "run/containers/auth.json": one("runtime"),
      "config/containers/auth.json": one("config"),
      "authfile.json": one("authfile"),
    };
    await withFolder(files, async (home) => {
      const env: Record<string, string> = {
        DOCKER_AUTH_CONFIG: one("variable"),
        REGISTRY_AUTH_FILE: join(home, "named.json"),
        DOCKER_CONFIG: join(home, "docker"),
        XDG_RUNTIME_DIR: join(home, "run"),
        XDG_CONFIG_HOME: join(home, "config"),
      };
      const authFile = join(home, "authfile.json");
      expect(await find(home, "r.example", "x", { env, authFile })).toMatchObject({ username: "authfile" });
      const order = [];
      for (const name of Object.keys(env)) {
        order.push(await find(home, "r.example", "x", { env }));
        delete env[name];
      }
      expect(order).toMatchObject(
        ["variable", "named", "docker", "runtime", "config"].map((username) => ({ username })),
      );
    });
  });

  test("reads identity tokens, registry tokens and buildpacks' headers", async () => {
    const auths = {
      "a.example": { ...auth("ann", ""), identitytoken: "refresh" },
      "b.example": { registrytoken: "direct" },
    };
    const env = { CNB_REGISTRY_AUTH: file({ "c.example": `Basic ${btoa("ann:a:b")}`, "d.example": "Bearer tok" }) };
    await withFolder({ ".docker/config.json": file({ auths }) }, async (home) => {
      expect(await find(home, "a.example")).toEqual({ kind: "identity-token", username: "ann", token: "refresh" });
      expect(await find(home, "b.example")).toEqual({ kind: "registry-token", token: "direct" });
      expect(await find(home, "c.example", "x", { env })).toEqual(ann);
      expect(await find(home, "d.example", "x", { env })).toEqual({ kind: "registry-token", token: "tok" });
    });
  });

  test("asks the helper of the registry, else the one for all, by the key that tools use", async () => {
    const config = { credsStore: "store", credHelpers: { "r.example": "one" }, auths: { "docker.io": {} } };
    await withFolder({ ".docker/config.json": file(config) }, async (home) => {
      const { calls, run } = helper(0, file({ ServerURL: "x", Username: "ann", Secret: "a:b" }));
      expect(await find(home, "r.example", "x", { run })).toEqual(ann);
      expect(await find(home, "docker.io", "x", { run })).toEqual(ann);
      expect(calls.map(({ argv, stdin }) => [...argv, stdin])).toEqual([
        ["docker-credential-one", "get", "r.example"],
        ["docker-credential-store", "get", "https://index.docker.io/v1/"],
      ]);
      expect(calls[0]?.timeoutMs).toBeGreaterThan(0);
      expect(calls[0]?.limit).toBeLessThanOrEqual(1024 * 1024);
      const token = helper(0, file({ Username: "<token>", Secret: "refresh" }));
      const identity = { kind: "identity-token", username: undefined, token: "refresh" } as const;
      expect(await find(home, "r.example", "x", { run: token.run })).toEqual(identity);
    });
  });

  test.each([
    ["fails", helper(1, "hunter2", "panic: hunter2").run],
    ["prints no JSON", helper(0, "hunter2").run],
    ["prints JSON of another shape", helper(0, '{"hunter2":1}').run],
    ["is missing", undefined],
  ])("goes on with a warning, without what was printed, where the helper %s", async (_, run) => {
    await withFolder({ ".docker/config.json": file({ credsStore: "x" }) }, async (home) => {
      const io = testIo();
      expect(await find(home, "r.example", "x", run ? { run } : {}, io)).toBeUndefined();
      expect(io.events).toMatchObject([{ kind: "warning", code: "credential-helper-failed" }]);
      expect(JSON.stringify(io.events)).not.toContain("hunter2");
    });
  });

  test("takes a helper's word that it has none, silently", async () => {
    await withFolder({ ".docker/config.json": file({ credsStore: "x" }) }, async (home) => {
      const io = testIo();
      const { run } = helper(1, "credentials not found in native keychain");
      expect(await find(home, "r.example", "x", { run }, io)).toBeUndefined();
      expect(io.events).toEqual([]);
    });
  });

  test.each(["../x", "a/b", "", " ", "-rf", "a..b", "x\ny", "x".repeat(100)])(
    "runs no helper named %j",
    async (name) => {
      await withFolder({ ".docker/config.json": file({ credHelpers: { "r.example": name } }) }, async (home) => {
        const { calls, run } = helper(0, "{}");
        await expect(find(home, "r.example", "x", { run })).rejects.toMatchObject({ code: "invalid-configuration" });
        expect(calls).toEqual([]);
      });
    },
  );

  test.each(["{", "[]", '{"auths":5}', '{"auths":{"a":{"auth":5}}}', '{"auths":{},"auths":{}}'])(
    "refuses the file %s as invalid-configuration, with its path and no content",
    async (text) => {
      await withFolder({ ".docker/config.json": text }, async (home) => {
        const error = await find(home, "r.example").catch((caught: Error) => caught);
        expect(error).toMatchObject({ code: "invalid-configuration" });
        expect(String(error)).toContain("config.json");
      });
    },
  );
});

describe("storeCredentials()", () => {
  test("keeps all else in the file, makes it private, warns of plain text, and is read back", async () => {
    const before = { HttpHeaders: { a: "b" }, auths: { "o.example": auth("o", "1") }, experimental: "enabled" };
    await withFolder({ ".docker/config.json": file(before) }, async (home) => {
      const path = join(home, ".docker/config.json");
      await chmod(path, 0o644);
      const io = testIo();
      expect(await storeCredentials(parts(home), "r.example", ann, io)).toEqual({ where: path, plainText: true });
      expect(io.events).toMatchObject([{ kind: "warning", code: "plain-text-credentials" }]);
      expect(JSON.stringify(io.events)).not.toContain("a:b");
      expect(JSON.parse(await readFile(path, "utf8"))).toEqual({
        ...before,
        auths: { ...before.auths, "r.example": auth("ann", "a:b") },
      });
      expect((await stat(path)).mode & 0o777).toBe(0o600);
      expect(await readdir(join(home, ".docker"))).toEqual(["config.json"]);
      expect(await find(home, "r.example")).toEqual(ann);
    });
  });

  test("makes the file where there is none, under Docker Hub's own key", async () => {
    await withFolder({}, async (home) => {
      await storeCredentials(parts(home), "docker.io", ann, testIo());
      const { auths } = JSON.parse(await readFile(join(home, ".docker/config.json"), "utf8"));
      expect(Object.keys(auths)).toEqual(["https://index.docker.io/v1/"]);
      expect(await find(home, "docker.io")).toEqual(ann);
    });
  });

  test("gives the secret to the helper alone where one is configured", async () => {
    await withFolder({ ".docker/config.json": file({ credsStore: "keep" }) }, async (home) => {
      const { calls, run } = helper(0, "");
      const stored = await storeCredentials(parts(home, { run }), "r.example", ann, testIo());
      expect(stored).toEqual({ where: "docker-credential-keep", plainText: false });
      expect(calls[0]?.argv).toEqual(["docker-credential-keep", "store"]);
      expect(JSON.parse(calls[0]?.stdin ?? "")).toEqual({ ServerURL: "r.example", Username: "ann", Secret: "a:b" });
      const text = await readFile(join(home, ".docker/config.json"), "utf8");
      expect(JSON.parse(text)).toEqual({ credsStore: "keep", auths: { "r.example": {} } });
    });
  });

  test("keeps an identity token so that it is read back as one", async () => {
    await withFolder({}, async (home) => {
      const token = { kind: "identity-token", username: "ann", token: "refresh" } as const;
      await storeCredentials(parts(home), "r.example", token, testIo());
      expect(await find(home, "r.example")).toEqual(token);
    });
  });

  test("refuses a user name with a colon", async () => {
    await withFolder({}, async (home) => {
      const stores = storeCredentials(parts(home), "r.example", { ...ann, username: "a:b" }, testIo());
      await expect(stores).rejects.toMatchObject({ code: "invalid-input" });
      expect(await readdir(home)).toEqual([]);
    });
  });
});

describe("eraseCredentials()", () => {
  test("takes away every spelling of the registry, keeps the others, and names what remains elsewhere", async () => {
    const auths = { "r.example": auth("a", "1"), "https://r.example/v1/": auth("a", "1"), "o.example": auth("o", "1") };
    const files = {
      ".docker/config.json": file({ auths }),
      ".config/containers/auth.json": file({ auths: { "r.example": auth("c", "1") } }),
    };
    await withFolder(files, async (home) => {
      const erased = await eraseCredentials(parts(home), "r.example", testIo());
      expect(erased).toEqual({ erased: true, remaining: [join(home, ".config/containers/auth.json")] });
      const text = await readFile(join(home, ".docker/config.json"), "utf8");
      expect(Object.keys(JSON.parse(text).auths)).toEqual(["o.example"]);
      expect((await eraseCredentials(parts(home), "r.example", testIo())).erased).toBe(false);
    });
  });
});
