import { describe, expect, test } from "bun:test";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { reportCrash, run } from "../../src/cli/app.ts";
import type { Context } from "../../src/core/context.ts";
import { InvalidInputError, LibraryError, NotFoundError, RegistryError, UsageError } from "../../src/core/error.ts";
import { type EchoReport, echoCommand, pushImageCommand, sectionsOf } from "../support/commands.ts";
import { withFolder } from "../support/folder.ts";
import { testWorld } from "../support/world.ts";

type Act = (context: Context, input: unknown) => Promise<EchoReport>;

const throwing = (thrown: unknown): Act => {
  return async () => {
    throw thrown;
  };
};

async function runEcho(argv: readonly string[], act?: Act, world = testWorld(), raw = false) {
  const status = await run(argv, world, sectionsOf(echoCommand(act, raw), pushImageCommand));
  return { status, stdout: world.stdout(), stderr: world.stderr(), world };
}

describe("run() exits", () => {
  test.each<[string, 0 | 1 | 3, EchoReport["status"]]>([
    ["0 where the report is ok", 0, "ok"],
    ["1 where the answer is no", 1, "no"],
    ["3 where the report is incomplete", 3, "incomplete"],
  ])("%s", async (_, status, reported) => {
    const ended = await runEcho(["echo", "a"], async () => ({ status: reported, input: 1 }));
    expect(ended).toMatchObject({ status, stdout: "1\n", stderr: "" });
  });

  test.each<[string, number, string, unknown]>([
    ["2 for a usage error", 2, "usage", new UsageError("Cannot use it")],
    [
      "2 for invalid input",
      2,
      "invalid-manifest-file",
      new InvalidInputError("Bad", { code: "invalid-manifest-file" }),
    ],
    ["1 for a tag that may not move", 1, "tag-moved", new LibraryError("tag-moved", "Cannot move it")],
    ["3 for what is not there", 3, "not-found", new NotFoundError("Cannot find it")],
    [
      "3 for a failing system call",
      3,
      "io-error",
      Object.assign(new Error("full"), { code: "ENOSPC", syscall: "write" }),
    ],
    ["70 for anything unknown", 70, "internal", new TypeError("x is not a function")],
    ["70 for what is no error at all", 70, "internal", "thrown text"],
    ["130 for an interruption", 130, "interrupted", new LibraryError("interrupted", "Interrupted")],
  ])("%s", async (_, status, code, thrown) => {
    const ended = await runEcho(["echo", "a", "--json"], throwing(thrown));
    expect(ended.status).toBe(status as never);
    expect(JSON.parse(ended.stdout)).toMatchObject({ exitCode: status, errors: [{ code }] });
    expect(ended.stderr).toStartWith("error: ");
    expect(ended.world.open()).toBe(0);
  });

  test("130 for whatever is thrown once the user interrupted", async () => {
    const world = testWorld();
    const ended = await runEcho(
      ["echo", "a", "--json"],
      async () => {
        world.interrupt();
        throw new TypeError("socket closed");
      },
      world,
    );
    expect(ended.status).toBe(130);
    expect(JSON.parse(ended.stdout)).toMatchObject({ status: "interrupted", errors: [{ code: "interrupted" }] });
  });

  test("as the report says where the operation ended well after the interruption", async () => {
    const world = testWorld();
    const ended = await runEcho(
      ["echo", "a"],
      async () => {
        world.interrupt();
        return { status: "ok", input: "served" };
      },
      world,
    );
    expect(ended.status).toBe(0);
  });

  test("2 with the help for an empty command line, 0 for --help", async () => {
    const empty = await runEcho([]);
    const asked = await runEcho(["--help"]);
    expect([empty.status, asked.status]).toEqual([2, 0]);
    expect(empty.stdout).toBe(asked.stdout);
    expect(asked.stdout).toContain("push image");
  });

  test.each([[["nope"]], [["echo"]], [["echo", "a", "--nope"]], [["push"]], [["push", "image"]]])(
    "2 for %j, and opens no context",
    async (argv) => {
      const ended = await runEcho(argv);
      expect(ended).toMatchObject({ status: 2, stdout: "" });
      expect(ended.world.settings).toEqual([]);
    },
  );
});

describe("run() shows help", () => {
  test.each([
    [["echo", "--help"]],
    [["--help", "echo"]],
    [["say", "-h"]],
    [["echo", "--nope", "-h"]],
    [["echo", "a", "-qh"]],
  ])("for %j and does nothing else", async (argv) => {
    const ended = await runEcho(argv, throwing(new Error("run")));
    expect(ended).toMatchObject({ status: 0, stderr: "" });
    expect(ended.stdout).toStartWith("Report the input\n");
  });

  test("not for a --help that is passed on", async () => {
    const ended = await runEcho(["echo", "a", "--", "--help"]);
    expect(ended.stdout).toBe('{"source":"a","passthrough":["--help"]}\n');
  });
});

describe("run() with --json", () => {
  test("prints one envelope for a result", async () => {
    const ended = await runEcho(["say", "1.10", "--tag", "1.10", "--json"]);
    expect(ended.stderr).toBe("");
    expect(JSON.parse(ended.stdout)).toEqual({
      schemaVersion: 1,
      command: "echo",
      status: "ok",
      exitCode: 0,
      result: { input: { source: "1.10", tag: ["1.10"] } },
      errors: [],
      warnings: [],
    });
  });

  test("prints one envelope for an error of the command line", async () => {
    const ended = await runEcho(["echo", "--json", "--nope", "--output"]);
    expect(JSON.parse(ended.stdout)).toMatchObject({
      command: "echo",
      status: "error",
      exitCode: 2,
      errors: [
        { code: "usage", path: "--nope" },
        { code: "usage", path: "--output" },
        { code: "usage", path: "SOURCE" },
      ],
    });
  });

  test("prints one envelope where no command was found", async () => {
    for (const argv of [["nope", "--json"], ["--json"]]) {
      const ended = await runEcho(argv);
      expect(JSON.parse(ended.stdout)).toMatchObject({ command: "", exitCode: 2, errors: [{ code: "usage" }] });
    }
  });

  test("lists every problem with its place, and what a registry answered", async () => {
    const problems = [
      {
        message: "tag is the number 1.1",
        file: "m.yaml",
        line: 12,
        column: 9,
        path: "build.tags[0]",
        hint: "Quote it",
      },
      { message: "title is missing", file: "m.yaml" },
    ];
    const invalid = new InvalidInputError("Cannot read m.yaml: 2 problems", { problems, hint: "Edit it" });
    const { stdout } = await runEcho(["echo", "a", "--json"], throwing(invalid));
    expect(JSON.parse(stdout).errors).toEqual([
      { code: "invalid-input", ...problems[0] },
      { code: "invalid-input", ...problems[1], hint: "Edit it" },
    ]);
    const refusal = { status: 401, codes: ["UNAUTHORIZED"], requestId: "r1", request: "GET https://h/v2/" };
    const refused = await runEcho(["echo", "a", "--json"], throwing(new RegistryError("unauthorized", "No", refusal)));
    expect(JSON.parse(refused.stdout).errors).toEqual([{ code: "unauthorized", message: "No", registry: refusal }]);
  });

  test("lists warnings, and shows them on standard error too, with --quiet as well", async () => {
    const ended = await runEcho(["echo", "a", "--json", "-q"], async (context) => {
      context.emit({ kind: "warning", code: "registry-warning", message: "old" });
      return { status: "ok", input: 1 };
    });
    expect(JSON.parse(ended.stdout).warnings).toEqual([{ code: "registry-warning", message: "old" }]);
    expect(ended.stderr).toBe("warning: old\n");
  });

  test("is refused where standard output carries the content itself", async () => {
    const ended = await runEcho(["echo", "a", "--json"], throwing(new Error("run")), testWorld(), true);
    expect(ended).toMatchObject({ status: 2, stdout: "" });
  });
});

describe("run() as text", () => {
  test("prints nothing of its own around raw content", async () => {
    expect(await runEcho(["echo", "a"], undefined, testWorld(), true)).toMatchObject({ status: 0, stdout: "" });
  });

  test("uses colours on a terminal, and none with NO_COLOR", async () => {
    const act: Act = async () => ({ status: "ok", input: "x" });
    const bright = await runEcho(["echo", "a"], act, testWorld({ stdoutIsTerminal: true }));
    expect(bright.stdout).toBe('\u001b[1m"x"\u001b[22m\n');
    const plain = await runEcho(["echo", "a"], act, testWorld({ stdoutIsTerminal: true, env: { NO_COLOR: "1" } }));
    expect(plain.stdout).toBe('"x"\n');
  });

  test("shows every problem as file:line:column", async () => {
    const problems = [{ message: "tag is a number", file: "m.yaml", line: 12, column: 9, path: "build.tags[0]" }];
    const { stderr } = await runEcho(
      ["echo", "a"],
      throwing(new InvalidInputError("Cannot read m.yaml", { problems })),
    );
    expect(stderr).toBe("error: Cannot read m.yaml\n  m.yaml:12:9: build.tags[0]: tag is a number\n");
  });

  test("shows stacks with --debug only", async () => {
    const bug = throwing(new TypeError("broken"));
    expect((await runEcho(["echo", "a"], bug)).stderr).not.toContain("app.test.ts");
    expect((await runEcho(["echo", "a", "--debug"], bug)).stderr).toContain("app.test.ts");
  });

  test("hides passwords in URLs of errors, in both outputs", async () => {
    const leak = throwing(new LibraryError("network-error", "Cannot reach https://user:hunter2@host/v2/: refused"));
    const ended = await runEcho(["echo", "a", "--json"], leak);
    expect(ended.stdout + ended.stderr).not.toContain("hunter2");
    expect(ended.stderr).toContain("https://[redacted]@host/v2/");
  });
});

describe("run() on broken output", () => {
  test("ends quietly where nobody reads the result any more", async () => {
    const ended = await runEcho(["echo", "a"], undefined, testWorld({ stdoutFails: "EPIPE" }));
    expect(ended).toMatchObject({ status: 0, stderr: "" });
  });

  test("ends quietly where nobody reads the content any more", async () => {
    const cause = Object.assign(new Error("write"), { code: "EPIPE", syscall: "write" });
    const broken = throwing(new LibraryError("io-error", "Cannot write", { cause }));
    expect(await runEcho(["echo", "a"], broken, testWorld(), true)).toMatchObject({ status: 0, stderr: "" });
  });

  test("reports a connection that broke the same way", async () => {
    const cause = Object.assign(new Error("write"), { code: "EPIPE", syscall: "write" });
    const broken = throwing(new LibraryError("network-error", "Cannot send", { cause }));
    expect((await runEcho(["echo", "a"], broken, testWorld(), true)).status).toBe(3);
  });

  test("reports a full disk behind standard output", async () => {
    const ended = await runEcho(["echo", "a"], undefined, testWorld({ stdoutFails: "ENOSPC" }));
    expect(ended.status).toBe(3);
    expect(ended.stderr).toStartWith("error: ");
  });
});

describe("run() hands on", () => {
  test("the registry flags as network settings", async () => {
    const argv = ["echo", "a", "--plain-http", "--insecure-registry", "h:1", "--authfile=f", "--concurrency", "4"];
    const { world } = await runEcho([...argv, "--ca-file", "c"]);
    expect(world.settings[0]?.network).toEqual({
      plainHttp: true,
      insecureRegistries: ["h:1"],
      caFiles: ["c"],
      authFile: "f",
      concurrency: 4,
    });
  });

  test("the digest to --digest-file, without a line end", async () => {
    await withFolder({ "old.txt": "before, and longer than a digest" }, async (cwd) => {
      for (const file of ["new.txt", "old.txt"]) {
        const ended = await runEcho(["echo", "a", "--digest-file", file], undefined, testWorld({ cwd }));
        expect(ended.status).toBe(0);
        expect(await readFile(join(cwd, file), "utf8")).toBe("sha256:abc");
      }
    });
  });

  test("and fails with io-error where --digest-file cannot be written", async () => {
    await withFolder({}, async (cwd) => {
      const argv = ["echo", "a", "--json", "--digest-file", "absent/digest"];
      const ended = await runEcho(argv, undefined, testWorld({ cwd }));
      expect(ended.status).toBe(3);
      expect(JSON.parse(ended.stdout)).toMatchObject({ errors: [{ code: "io-error" }] });
    });
  });
});

test("reportCrash() exits 70 and says how to report the bug", () => {
  const world = testWorld();
  expect(reportCrash(new TypeError("late"), ["copy"], world)).toBe(70);
  expect(world.stderr()).toMatch(/^error: .*late\nhint: Report this as a bug/);
});
