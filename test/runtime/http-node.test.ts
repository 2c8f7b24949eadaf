import { describe, test } from "bun:test";
import { makeNodeHttp } from "../../src/runtime/http-node.ts";
import { httpCases } from "../contract/http.ts";
import { runHttpCase } from "../contract/http-bench.ts";

describe("Http by node:http", () => {
  for (const [name, body] of Object.entries(httpCases)) test(name, () => runHttpCase(body, makeNodeHttp));
});
