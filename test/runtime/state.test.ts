import { expect, test } from "bun:test";
import { homedir } from "node:os";
import { findState } from "../../src/runtime/state.ts";

test("findState() follows the XDG variables", () => {
  const env = { HOME: "/home/a", XDG_CONFIG_HOME: "/c", XDG_CACHE_HOME: "/k", XDG_STATE_HOME: "/s" };
  expect(findState(env)).toEqual({
    home: "/home/a",
    config: "/c/library",
    cache: "/k/library",
    state: "/s/library",
  });
});

test("findState() falls back below home where variables are absent, empty or relative", () => {
  expect(findState({ HOME: "/home/a", XDG_CONFIG_HOME: "", XDG_CACHE_HOME: "relative" })).toEqual({
    home: "/home/a",
    config: "/home/a/.config/library",
    cache: "/home/a/.cache/library",
    state: "/home/a/.local/state/library",
  });
});

test("findState() asks the system where HOME is not set", () => {
  expect(findState({}).home).toBe(homedir());
});
