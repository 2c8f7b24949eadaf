import { describe, expect, test } from "bun:test";
import { readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isLibraryError } from "../../src/core/error.ts";
import { loadManifest } from "../../src/manifest/load.ts";
import { type InitInput, init } from "../../src/operations/init.ts";
import { type FixedWorld, fixedContext } from "../support/fixed-context.ts";
import { withFolder } from "../support/folder.ts";
import { invalidInput } from "../support/invalid-input.ts";
import { minimalManifest } from "../support/manifest-text.ts";

const name = ".library.manifest.yaml";
const base: InitInput = { output: name, set: [], yes: false, force: false };
const run = (cwd: string, input: Partial<InitInput> = {}, world: Partial<FixedWorld> = {}) =>
  init(fixedContext({ cwd, ...world }), { ...base, ...input });
const load = async (cwd: string, file = name) => loadManifest(await readFile(join(cwd, file)), file);

/** What makes every proposal possible: a repository with a remote, an author, a Dockerfile and a licence. */
const repository = {
  ".git/HEAD": "ref: refs/heads/main\n",
  ".git/refs/heads/main": `${"a".repeat(40)}\n`,
  ".git/config": '[core]\n[remote "origin"]\n\turl = https://t:secret@github.com/Ada/My_Viewer.git\n',
  "home/.gitconfig": "[user]\nname = Ada Example\nemail = ada@example.org\n",
  Containerfile: "FROM scratch\n",
  LICENSE: "                                 Apache License\n                           Version 2.0, January 2004\n",
};

const required = {
  "registry.host": "registry.example.org",
  "registry.project": "astro",
  "registry.image": "viewer",
  "build.tags": "1.10",
  "metadata.discovery.title": "Viewer: no",
  "metadata.discovery.description": "Shows the sky",
  "metadata.discovery.source": "https://git.example.org/astro/viewer",
  "metadata.discovery.version": "1.10",
  "metadata.discovery.authors": "{name: Ada, email: ada@example.org}",
  "metadata.discovery.licenses": "MIT",
  "metadata.discovery.keywords": "",
  "metadata.discovery.tools": "[no, 1.0]",
  "metadata.discovery.kind": "headless",
};
const settings = Object.entries(required).map(([key, value]) => `${key}=${value}`);

describe("init() --yes", () => {
  test("writes a valid manifest of what git and the folder say", async () => {
    await withFolder(repository, async (cwd) => {
      const report = await run(cwd, { yes: true });
      expect(report).toEqual({ status: "ok", file: name, written: true, references: ["ghcr.io/ada/my_viewer:0.1.0"] });
      const { value } = await load(cwd);
      expect(value).toMatchObject({
        registry: { host: "ghcr.io", project: "ada", image: "my_viewer" },
        build: { file: "Containerfile", tags: ["0.1.0"], platforms: ["linux/amd64"] },
      });
      expect(value.metadata.discovery).toMatchObject({
        source: "https://github.com/Ada/My_Viewer",
        licenses: "Apache-2.0",
        authors: [{ name: "Ada Example", email: "ada@example.org", role: "maintainer", orcid: null }],
      });
      expect(value.config.cli).toEqual({
        lint: "default-linter",
        scan: "default-scanner",
        refurbish: "default-refurbisher",
      });
      expect(await readFile(join(cwd, name), "utf8")).not.toContain("secret");
    });
  });
  test("lists every key that has no proposal, and writes nothing", async () => {
    await withFolder({ "My App/x": "" }, async (folder) => {
      const cwd = join(folder, "My App");
      const error = await invalidInput(() => run(cwd, { yes: true }));
      expect(error.exitStatus).toBe(2);
      expect(error.problems.map(({ path }) => path)).toEqual([
        "registry.project",
        "metadata.discovery.source",
        "metadata.discovery.authors",
        "metadata.discovery.licenses",
      ]);
      expect(await readdir(cwd)).toEqual(["x"]);
    });
  });
  test("takes what is set before what is proposed", async () => {
    await withFolder(repository, async (cwd) => {
      await run(cwd, {
        yes: true,
        set: ["registry.host=localhost:5000", "build.platforms=[linux/amd64, linux/arm64]"],
      });
      const { value } = await load(cwd);
      expect(value.registry.host).toBe("localhost:5000");
      expect(value.build.platforms).toEqual(["linux/amd64", "linux/arm64"]);
    });
  });
});

describe("init() without a terminal", () => {
  test("lists every missing key", async () => {
    await withFolder(repository, async (cwd) => {
      const error = await invalidInput(() => run(cwd));
      expect(error.code).toBe("invalid-input");
      expect(error.problems.map(({ path }) => path)).toEqual(Object.keys(required));
      expect(error.problems[0]?.hint).toContain("--set registry.host=");
    });
  });
  test("hints at settings of an author that work as they stand", async () => {
    await withFolder({}, async (cwd) => {
      const set = settings.filter((text) => !text.startsWith("metadata.discovery.authors"));
      const error = await invalidInput(() => run(cwd, { set }));
      const hinted = [...(error.problems[0]?.hint ?? "").matchAll(/--set '([^']+)'/g)].map(([, text = ""]) => text);
      await run(cwd, { set: [...set, ...hinted] });
      expect((await load(cwd)).value.metadata.discovery.authors).toHaveLength(1);
    });
  });
  test("writes what --set gives, strings as they were written", async () => {
    await withFolder({}, async (cwd) => {
      await run(cwd, { set: settings });
      const { value, text } = await load(cwd);
      expect(value.build.tags).toEqual(["1.10"]);
      expect(value.metadata.discovery).toMatchObject({ title: "Viewer: no", version: "1.10", tools: ["no", "1.0"] });
      expect(text).toContain('- "no"');
      expect(value.metadata.discovery.revision).toBe("unknown");
    });
  });
  test.each([
    ["YAML", minimalManifest],
    ["JSON", JSON.stringify(loadManifest(minimalManifest, "m").value)],
  ])("takes the values of --from in %s, and --set before them", async (_, from) => {
    await withFolder({ "other/m": from }, async (cwd) => {
      await run(cwd, { from: "other/m", set: ["registry.image=editor"] });
      const { value } = await load(cwd);
      expect(value.registry).toEqual({ host: "registry.example.org", project: "astro", image: "editor" });
      expect(value.config.tools.map(({ id }) => id)).toEqual(["scan-tool"]);
    });
  });
  test("names the place of a wrong value in --from, and none for one of --set", async () => {
    await withFolder({ m: minimalManifest.replace('"1.10"', "1.10") }, async (cwd) => {
      const error = await invalidInput(() => run(cwd, { from: "m", set: ["registry.image=Editor"] }));
      expect(error.problems.map(({ file, line, column, path }) => [file, line, column, path])).toEqual([
        [undefined, undefined, undefined, "registry.image"],
        ["m", 8, 7, "build.tags[0]"],
      ]);
    });
  });
  test.each([["no equals sign"], ["=x"], ["a..b=x"]])("refuses --set %p", async (set) => {
    await withFolder({}, async (cwd) => {
      const error = await run(cwd, { set: [set] }).catch((error: unknown) => error);
      expect(isLibraryError(error, "usage")).toBe(true);
    });
  });
  test("refuses an unknown key with the nearest", async () => {
    await withFolder({}, async (cwd) => {
      const error = await invalidInput(() => run(cwd, { set: [...settings, "registry.hst=x"] }));
      expect(error.problems).toMatchObject([{ path: "registry.hst", hint: 'Write "host"' }]);
    });
  });
  test("refuses --from that is missing or no mapping", async () => {
    await withFolder({ list: "[]" }, async (cwd) => {
      expect((await invalidInput(() => run(cwd, { from: "none" }))).exitStatus).toBe(2);
      expect((await invalidInput(() => run(cwd, { from: "list" }))).exitStatus).toBe(2);
    });
  });
});

describe("init() writes", () => {
  test("defaults with a comment each, and the output only as a comment", async () => {
    await withFolder({}, async (cwd) => {
      await run(cwd, { set: settings });
      const { value, text, isWritten } = await load(cwd);
      expect(isWritten(["build", "platforms"])).toBe(true);
      expect(isWritten(["config", "tools", 0, "outputs"])).toBe(true);
      expect(isWritten(["build", "output"])).toBe(false);
      expect(text).toContain("# output: type=docker");
      expect(text).toContain("  # SPDX licence expression\n");
      expect(value.build.output).toBe("type=docker");
    });
  });
  test("neither a revision nor a moment, which would grow old, unless they are asked for", async () => {
    await withFolder(repository, async (cwd) => {
      await run(cwd, { yes: true });
      const { isWritten, text } = await load(cwd);
      expect(["revision", "created"].map((key) => isWritten(["metadata", "discovery", key]))).toEqual([false, false]);
      expect(text).toContain("# revision, created: left out");
      const asked = ["revision=abc", "created=2026-01-31T12:00:00Z"].map((text) => `metadata.discovery.${text}`);
      await run(cwd, { yes: true, force: true, set: asked });
      const { revision, created } = (await load(cwd)).value.metadata.discovery;
      expect([revision, created]).toEqual(["abc", "2026-01-31T12:00:00Z"]);
    });
  });
  test("the output where it was asked for", async () => {
    await withFolder({}, async (cwd) => {
      await run(cwd, { set: [...settings, "build.output=type=oci"] });
      expect((await load(cwd)).value.build.output).toBe("type=oci");
    });
  });
  test("into folders that it makes", async () => {
    await withFolder({}, async (cwd) => {
      await run(cwd, { set: settings, output: "a/b/m.yaml" });
      expect((await load(cwd, "a/b/m.yaml")).value.registry.image).toBe("viewer");
      expect(await readdir(join(cwd, "a/b"))).toEqual(["m.yaml"]);
    });
  });
  test("through a symbolic link to a file", async () => {
    await withFolder({ "real.yaml": "x" }, async (cwd) => {
      await symlink("real.yaml", join(cwd, name));
      await run(cwd, { set: settings, force: true });
      expect(await readFile(join(cwd, "real.yaml"), "utf8")).toContain("viewer");
    });
  });
});

describe("init() where the output exists", () => {
  test.each([
    ["without a terminal", undefined],
    ["with --yes on a terminal", []],
  ])("refuses %s", async (_, answers) => {
    await withFolder({ ...repository, [name]: "mine" }, async (cwd) => {
      const error = await run(cwd, { yes: true }, answers ? { answers } : {}).catch((error: unknown) => error);
      expect(isLibraryError(error, "already-exists")).toBe(true);
      expect(await readFile(join(cwd, name), "utf8")).toBe("mine");
    });
  });
  test("replaces it with --force", async () => {
    await withFolder({ [name]: "mine" }, async (cwd) => {
      await run(cwd, { set: settings, force: true });
      expect((await load(cwd)).value.registry.image).toBe("viewer");
    });
  });
  test.each([[""], ["n"], ["what"]])("leaves it on the answer %p", async (answer) => {
    await withFolder({ [name]: "mine" }, async (cwd) => {
      const report = await run(cwd, {}, { answers: [answer] });
      expect(report).toMatchObject({ status: "ok", written: false });
      expect(await readFile(join(cwd, name), "utf8")).toBe("mine");
    });
  });
  test("refuses a folder even with --force", async () => {
    await withFolder({ [`${name}/x`]: "" }, async (cwd) => {
      const error = await run(cwd, { set: settings, force: true }).catch((error: unknown) => error);
      expect(isLibraryError(error, "already-exists")).toBe(true);
    });
  });
  test("refuses a path below a file", async () => {
    await withFolder({ file: "x" }, async (cwd) => {
      const error = await run(cwd, { set: settings, output: "file/m.yaml" }).catch((error: unknown) => error);
      expect(isLibraryError(error, "invalid-input")).toBe(true);
    });
  });
});

describe("init() on a terminal", () => {
  test("asks for what is open, takes proposals on an empty line, and asks again after a bad answer", async () => {
    await withFolder(repository, async (cwd) => {
      const answers = [
        "bad host",
        "localhost:5000",
        "",
        "",
        "",
        "linux/amd64, linux/arm64",
        "2.0",
        "",
        "The Viewer",
        "",
        "",
        "",
        "",
        "",
        "a, b",
        "",
        "",
        "nonsense",
        "notebook",
      ];
      const context = fixedContext({ cwd, answers });
      await init(context, { ...base });
      const { value } = await load(cwd);
      expect(value.registry.host).toBe("localhost:5000");
      expect(value.build).toMatchObject({ tags: ["2.0"], platforms: ["linux/amd64", "linux/arm64"] });
      expect(value.metadata.discovery).toMatchObject({
        title: "The Viewer",
        keywords: ["a", "b"],
        tools: [],
        kind: ["notebook"],
      });
      expect(context.asked).toHaveLength(answers.length);
      expect(context.asked[0]).toBe("Registry [ghcr.io]: ");
      expect(context.events.map((event) => (event.kind === "warning" ? event.code : event.kind))).toEqual([
        "invalid-answer",
        "invalid-answer",
      ]);
    });
  });
  test("tells what is required and what is allowed, and an empty answer that it is required", async () => {
    await withFolder({}, async (cwd) => {
      const open = ["metadata.discovery.licenses", "metadata.discovery.kind"];
      const context = fixedContext({ cwd, answers: ["", "", "", "MIT", "", "headless"] });
      await init(context, { ...base, set: settings.filter((text) => !open.some((key) => text.startsWith(key))) });
      expect(context.asked.slice(2)).toEqual([
        "Licence (SPDX) (required): ",
        "Licence (SPDX) (required): ",
        "Domains, with commas between them [astronomy]: ",
        "Kinds of session, with commas between them (notebook, headless, carta, firefly, contributed, desktop) [headless]: ",
      ]);
      expect(context.events).toEqual([
        { kind: "warning", code: "invalid-answer", message: "Licence (SPDX) is required" },
      ]);
    });
  });
  test.each([
    ["Ada Example <ada@example.org>", [], "ada@example.org"],
    ["Ada Example <ada>", ["ada@example.com"], "ada@example.com"],
    ["Ada Example", ["ada@example.com"], "ada@example.com"],
  ])("takes the author %s apart", async (author, more, email) => {
    await withFolder({}, async (cwd) => {
      const context = fixedContext({ cwd, answers: ["", "", author, ...more, ""] });
      const set = settings.filter((text) => !text.startsWith("metadata.discovery.authors"));
      await init(context, { ...base, set });
      expect((await load(cwd)).value.metadata.discovery.authors).toMatchObject([{ name: "Ada Example", email }]);
    });
  });
  test("asks nothing that --set gives", async () => {
    await withFolder({}, async (cwd) => {
      const context = fixedContext({ cwd, answers: ["", "", ""] });
      await init(context, { ...base, set: settings });
      expect(context.asked.map((question) => question.split(" ")[0])).toEqual(["Dockerfile", "Platforms,", "Domains,"]);
    });
  });
  test("writes nothing where the input ends", async () => {
    await withFolder({ x: "" }, async (cwd) => {
      const error = await run(cwd, {}, { answers: ["localhost:5000"] }).catch((error: unknown) => error);
      expect(isLibraryError(error, "usage")).toBe(true);
      expect(await readdir(cwd)).toEqual(["x"]);
    });
  });
  test("writes nothing where the user interrupts", async () => {
    await withFolder({ x: "" }, async (cwd) => {
      const controller = new AbortController();
      const reason = new Error("interrupted");
      const interrupt = () => {
        controller.abort(reason);
        return "localhost:5000";
      };
      await expect(run(cwd, {}, { answers: [interrupt], signal: controller.signal })).rejects.toBe(reason);
      expect(await readdir(cwd)).toEqual(["x"]);
    });
  });
});

test("init() leaves the old file where the new one cannot be written", async () => {
  await withFolder({}, async (cwd) => {
    // Another file stands where the first temporary file would be made
    await writeFile(join(cwd, `${name}.${"0".repeat(12)}.tmp`), "");
    await writeFile(join(cwd, name), "mine");
    const error = await run(cwd, { set: settings, force: true }).catch((error: unknown) => error);
    expect(isLibraryError(error, "io-error")).toBe(true);
    expect(await readFile(join(cwd, name), "utf8")).toBe("mine");
  });
});
