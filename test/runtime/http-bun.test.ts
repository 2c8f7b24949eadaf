import { describe, test } from "bun:test";
import { makeBunHttp } from "../../src/runtime/http-bun.ts";
import { httpCases } from "../contract/http.ts";
import { runHttpCase } from "../contract/http-bench.ts";

describe("Http by Bun's fetch", () => {
  for (const [name, body] of Object.entries(httpCases)) test(name, () => runHttpCase(body, makeBunHttp));
});
