import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";
import type { State } from "../core/ports.ts";

/**
 * The folders of this program below `XDG_CONFIG_HOME`, `XDG_CACHE_HOME` and `XDG_STATE_HOME`; nothing is made.
 * A variable that is empty or relative counts as unset: XDG Base Directory Specification 0.8, "Environment variables".
 */
export function findState(env: Readonly<Record<string, string | undefined>>): State {
  const home = env.HOME || homedir();
  return {
    home,
    config: folder("XDG_CONFIG_HOME", ".config"),
    cache: folder("XDG_CACHE_HOME", ".cache"),
    state: folder("XDG_STATE_HOME", join(".local", "state")),
  };

  function folder(variable: string, otherwise: string): string {
    const value = env[variable];
    return join(value && isAbsolute(value) ? value : join(home, otherwise), "library");
  }
}
