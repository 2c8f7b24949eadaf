import { describe, expect, test } from "bun:test";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Event } from "../../src/core/event.ts";
import { type LoginInput, login, logout } from "../../src/operations/login.ts";
import { tags } from "../../src/operations/tags.ts";
import { type Places, type PlacesWorld, withPlaces } from "../support/image-places.ts";

const users = { alice: "secret" };
const defaults = { passwordStdin: false, identityTokenStdin: false };

async function run({ context, registry }: Places, input: Partial<LoginInput> = {}) {
  return login(context, { ...defaults, registry: registry.host, ...input });
}

async function kept(folder: string): Promise<string> {
  return readFile(join(folder, "home/.docker/config.json"), "utf8").catch(() => "");
}

function warnings(events: readonly Event[]): readonly string[] {
  return events.flatMap((event) => (event.kind === "warning" ? [event.code] : []));
}

/** Everything that a user could see. */
function shown({ context }: Places): string {
  return JSON.stringify([context.events, context.asked, new TextDecoder().decode(context.stdout())]);
}

describe("login()", () => {
  test.each<[string, PlacesWorld, Partial<LoginInput>]>([
    ["asked for on the terminal", { answers: ["alice", "secret"] }, {}],
    ["given by flag and terminal", { answers: ["secret"] }, { username: "alice" }],
    ["from standard input", { stdin: "secret" }, { username: "alice", passwordStdin: true }],
    ["from standard input with a line end", { stdin: "secret\n" }, { username: "alice", passwordStdin: true }],
    ["from standard input of Windows", { stdin: "secret\r\n" }, { username: "alice", passwordStdin: true }],
  ])("keeps credentials %s that the registry takes, and warns of plain text", async (_, given, input) => {
    await withPlaces({ users, ...given }, async (world) => {
      const report = await run(world, input);
      const where = join(world.folder, "home/.docker/config.json");
      expect(report).toEqual({ status: "ok", registry: world.registry.host, where });
      const file = JSON.parse(await kept(world.folder));
      expect(file).toEqual({ auths: { [world.registry.host]: { auth: btoa("alice:secret") } } });
      expect((await stat(where)).mode & 0o777).toBe(0o600);
      expect(warnings(world.context.events)).toEqual(["plain-text-credentials"]);
      expect(shown(world)).not.toContain("secret");
    });
  });

  test("is what later commands use", async () => {
    await withPlaces({ users, stdin: "secret" }, async (world) => {
      const location = { kind: "registry", registry: world.registry.host, repository: "a/b" } as const;
      await expect(tags(world.context, { location, all: false })).rejects.toMatchObject({ code: "unauthorized" });
      await run(world, { username: "alice", passwordStdin: true });
      // Of a session of its own, as a later command has one
      const context = { ...world.context };
      await expect(tags(context, { location, all: false })).rejects.toMatchObject({ code: "not-found" });
    });
  });

  test("takes a token server's word", async () => {
    const faults = { tokenAuth: { username: "alice", password: "secret" } };
    await withPlaces({ faults, stdin: "secret" }, async (world) => {
      await run(world, { username: "alice", passwordStdin: true });
      expect(world.registry.faults.tokenAuth).toBeGreaterThan(0);
      expect(await kept(world.folder)).toContain(world.registry.host);
    });
  });

  test.each<[string, PlacesWorld]>([
    ["Basic", { users }],
    ["a token server", { faults: { tokenAuth: { username: "alice", password: "secret" } } }],
  ])("fails with unauthorized where %s refuses them, and keeps and shows nothing", async (_, given) => {
    await withPlaces({ ...given, stdin: "wrong-guess" }, async (world) => {
      const error = await run(world, { username: "alice", passwordStdin: true }).catch((thrown: Error) => thrown);
      expect(error).toMatchObject({
        code: "unauthorized",
        exitStatus: 3,
        message: expect.stringContaining("wrong"),
        hint: expect.stringContaining("again"),
      });
      expect(await readdir(world.folder)).toEqual([]);
      expect(`${shown(world)}${String(error)}`).not.toContain("wrong-guess");
    });
  });

  test("warns where the registry asks for no credentials", async () => {
    await withPlaces({ stdin: "secret" }, async (world) => {
      await run(world, { username: "alice", passwordStdin: true });
      expect(warnings(world.context.events)).toEqual(["no-authentication", "plain-text-credentials"]);
    });
  });

  test("keeps an identity token as one", async () => {
    await withPlaces({ stdin: "refresh-token\n" }, async (world) => {
      await run(world, { identityTokenStdin: true });
      const entry = JSON.parse(await kept(world.folder)).auths[world.registry.host];
      expect(entry.identitytoken).toBe("refresh-token");
      expect(shown(world)).not.toContain("refresh-token");
    });
  });

  test.each<[string, PlacesWorld, Partial<LoginInput>]>([
    ["nobody is there to ask", {}, { username: "alice" }],
    ["--password-stdin comes without --username", { stdin: "secret" }, { passwordStdin: true }],
    ["standard input is empty", { stdin: "\n" }, { username: "alice", passwordStdin: true }],
    ["an empty user name is typed", { answers: ["", "secret"] }, {}],
    ["the input ends", { answers: ["alice"] }, {}],
  ])("refuses with exit 2, and asks and keeps nothing, where %s", async (_, given, input) => {
    await withPlaces({ users, ...given }, async (world) => {
      await expect(run(world, input)).rejects.toMatchObject({ code: "usage", exitStatus: 2 });
      expect(world.registry.requests).toEqual([]);
      expect(await readdir(world.folder)).toEqual([]);
    });
  });

  test.each(["a/b", "", "ho st", "http://", "host:port"])("refuses the registry %p with exit 2", async (registry) => {
    await withPlaces({ stdin: "secret" }, async (world) => {
      const input = { registry, username: "alice", passwordStdin: true };
      await expect(run(world, input)).rejects.toMatchObject({ code: "invalid-reference", exitStatus: 2 });
    });
  });

  test("does not echo the password that it asks for", async () => {
    await withPlaces({ users, answers: ["alice", "secret"] }, async (world) => {
      const hidden: (boolean | undefined)[] = [];
      const { terminal } = world.context;
      const ask: typeof terminal.ask = (question, options) => {
        hidden.push(options?.hidden);
        return terminal.ask(question, options);
      };
      await run({ ...world, context: { ...world.context, terminal: { ...terminal, ask } } });
      expect(hidden).toEqual([undefined, true]);
    });
  });
});

describe("logout()", () => {
  test("erases what login kept, and nothing else", async () => {
    const other = { auths: { "other.example.org": { auth: btoa("bob:word") } }, currentContext: "x" };
    const files = { "home/.docker/config.json": JSON.stringify(other) };
    await withPlaces({ users, stdin: "secret", files }, async (world) => {
      await run(world, { username: "alice", passwordStdin: true });
      const { host } = world.registry;
      const report = await logout(world.context, { registry: host });
      expect(report).toEqual({ status: "ok", registry: host, erased: true, remaining: [] });
      expect(JSON.parse(await kept(world.folder))).toEqual(other);
      expect((await logout(world.context, { registry: host })).erased).toBe(false);
    });
  });

  test("names what it cannot erase", async () => {
    const env = { DOCKER_AUTH_CONFIG: JSON.stringify({ auths: { "other.example.org": { auth: btoa("bob:word") } } }) };
    await withPlaces({ env }, async (world) => {
      const report = await logout(world.context, { registry: "other.example.org" });
      expect(report).toMatchObject({ erased: false, remaining: ["DOCKER_AUTH_CONFIG"] });
    });
  });
});
