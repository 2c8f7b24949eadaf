import { describe, expect, test } from "bun:test";
import { secondOutput } from "../../src/build/output.ts";
import { thrownBy } from "../support/thrown.ts";

describe("secondOutput()", () => {
  test.each<[string, ReturnType<typeof secondOutput>]>([
    ["type=docker", { kind: "docker", output: "type=docker" }],
    ["type=docker,context=other", { kind: "docker", output: "type=docker,context=other" }],
    ["type=docker,dest=app.tar", { kind: "other", output: "type=docker,dest=/m/app.tar" }],
    ["type=oci", { kind: "none" }],
    ["type=oci,tar=false", { kind: "none" }],
    ["type=cacheonly", { kind: "none" }],
    ["type=oci,dest=out/app.tar", { kind: "other", output: "type=oci,dest=/m/out/app.tar" }],
    ["type=local,dest=./a/../b", { kind: "other", output: "type=local,dest=/m/b" }],
    ["type=local,dest=/abs", { kind: "other", output: "type=local,dest=/abs" }],
    ["out", { kind: "other", output: "type=local,dest=/m/out" }],
    ["type=registry", { kind: "other", output: "type=registry" }],
    ['type=local,"dest=a,b"', { kind: "other", output: 'type=local,"dest=/m/a,b"' }],
    ["TYPE=local,dest=a", { kind: "other", output: "type=local,dest=/m/a" }],
  ])("%s is %j", (output, expected) => {
    expect(secondOutput(output, "/m")).toEqual(expected);
  });

  test.each([
    "type=local,dest=../../",
    "type=local,dest=..",
    "type=local,dest=a/../..",
    "type=local,dest=.",
    "type=tar,dest=-",
    "-",
    "../out",
    "dest=out",
    "type=local,out",
    'type=local,dest="a',
    "=x",
    "",
  ])("refuses %j", (output) => {
    expect(thrownBy(() => secondOutput(output, "/m"))).toMatchObject({ code: "invalid-manifest-file", exitStatus: 2 });
  });
});
