import { describe, test } from "bun:test";
import { serveCases } from "../contract/serve.ts";

describe("serve()", () => {
  for (const [name, body] of Object.entries(serveCases)) test(name, body);
});
