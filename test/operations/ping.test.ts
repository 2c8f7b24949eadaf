import { describe, expect, test } from "bun:test";
import { ping } from "../../src/operations/ping.ts";
import { makeSample } from "../contract/sample.ts";
import { type PlacesWorld, withPlaces } from "../support/image-places.ts";

const users = { alice: "secret" };
const tokenAuth = { username: "alice", password: "secret" };

describe("ping()", () => {
  test.each<[string, PlacesWorld, string, object]>([
    [
      "an open registry",
      {},
      "",
      { authentication: "none", authenticated: true, httpStatus: 200, referrers: "unknown" },
    ],
    ["a repository with the API", {}, "/a/b", { authentication: "none", referrers: "api" }],
    ["a repository without it", { faults: { noReferrersApi: true } }, "/a/b", { referrers: "tag" }],
    ["one with Basic", { users }, "", { authentication: "basic", authenticated: false, httpStatus: 401 }],
    ["a closed repository", { users }, "/a/b", { authentication: "basic", referrers: "unknown" }],
    ["one with tokens", { faults: { tokenAuth } }, "", { authentication: "bearer", authenticated: false }],
  ])("of %s tells what it is", async (_, given, path, expected) => {
    await withPlaces(given, async (world) => {
      if (path !== "" && given.users === undefined) {
        const { backend, image } = makeSample();
        await world.seed(`${world.registry.host}${path}:1`, backend, image);
      }
      const report = await ping(world.context, { registry: `${world.registry.host}${path}` });
      expect(report).toMatchObject({
        status: "ok",
        registry: world.registry.host,
        url: world.registry.url,
        ...expected,
      });
    });
  });

  test("with kept credentials is authenticated", async () => {
    await withPlaces({ users }, async (world) => {
      const env = {
        DOCKER_AUTH_CONFIG: JSON.stringify({ auths: { [world.registry.host]: { auth: btoa("alice:secret") } } }),
      };
      const report = await ping({ ...world.context, env }, { registry: world.registry.host });
      expect(report).toMatchObject({ authentication: "basic", authenticated: true, httpStatus: 200 });
    });
  });

  test("takes a URL for the registry", async () => {
    await withPlaces({}, async (world) => {
      expect((await ping(world.context, { registry: `${world.registry.url}/` })).registry).toBe(world.registry.host);
    });
  });

  test.each(["", "/a/b"])("of a registry that is down fails with network-error (path %p)", async (path) => {
    await withPlaces({}, async (world) => {
      const pinging = ping(world.context, { registry: `127.0.0.1:1${path}` });
      await expect(pinging).rejects.toMatchObject({ code: "network-error", exitStatus: 3 });
    });
  });

  test("of a registry that always fails is a registry-error", async () => {
    await withPlaces({ faults: { serverErrors: { times: 1e6, status: 500 } } }, async (world) => {
      const pinging = ping(world.context, { registry: world.registry.host });
      await expect(pinging).rejects.toMatchObject({ code: "registry-error", exitStatus: 3 });
    });
  });

  test.each(["", "oci:dist", "oci:./dist", "ho st", "host/UPPER"])("refuses %p with exit 2", async (registry) => {
    await withPlaces({}, async (world) => {
      await expect(ping(world.context, { registry })).rejects.toMatchObject({
        code: "invalid-reference",
        exitStatus: 2,
      });
    });
  });
});
