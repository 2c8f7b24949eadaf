import { describe, expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type GitFacts, gitFacts } from "../../src/git/facts.ts";
import { parseAuthor } from "../../src/git/user.ts";
import { withFolder } from "../support/folder.ts";

/** Runs git in the folder with no configuration but what the test writes. */
function git(folder: string, ...argv: string[]): string {
  const env = {
    PATH: process.env.PATH ?? "",
    HOME: "/nonexistent",
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_CONFIG_GLOBAL: "/dev/null",
  };
  return execFileSync("git", ["-c", "user.name=C", "-c", "user.email=c@example.org", ...argv], {
    cwd: folder,
    env,
    encoding: "utf8",
  }).trim();
}

/** A repository with one commit in `work`, and a home folder beside it. */
async function withRepository(
  body: (work: string, facts: (at?: string) => Promise<GitFacts>, home: string) => Promise<void>,
): Promise<void> {
  await withFolder({ "work/sub/file": "x", "home/x": "" }, async (folder) => {
    const work = join(folder, "work");
    const home = join(folder, "home");
    git(work, "init", "--quiet", "--initial-branch=main");
    git(work, "add", ".");
    git(work, "commit", "--quiet", "-m", "first");
    await body(work, (at = work) => gitFacts(at, { home }), home);
  });
}

test("gitFacts() finds root, revision and remote from a folder within", async () => {
  await withRepository(async (work, facts) => {
    git(work, "remote", "add", "upstream", "https://example.org/other");
    git(work, "remote", "add", "origin", "https://me:secret@example.org/a/b.git");
    expect(await facts(join(work, "sub"))).toEqual({
      root: work,
      revision: git(work, "rev-parse", "HEAD"),
      remote: "https://example.org/a/b",
      author: {},
    });
  });
});

describe("gitFacts() reads the revision of", () => {
  test("a detached HEAD", async () => {
    await withRepository(async (work, facts) => {
      git(work, "checkout", "--quiet", "--detach");
      expect((await facts()).revision).toBe(git(work, "rev-parse", "HEAD"));
    });
  });
  test("packed refs", async () => {
    await withRepository(async (work, facts) => {
      git(work, "pack-refs", "--all");
      expect((await facts()).revision).toBe(git(work, "rev-parse", "HEAD"));
    });
  });
  test.each([["loose"], ["packed"]])(
    "a linked work tree with %s refs, which has the main one's remote",
    async (kind) => {
      await withRepository(async (work, facts) => {
        git(work, "remote", "add", "origin", "git@example.org:a/b.git");
        const linked = join(work, "..", "linked");
        git(work, "worktree", "add", "--quiet", "-b", "side", linked);
        await writeFile(join(linked, "new"), "y");
        git(linked, "add", ".");
        git(linked, "commit", "--quiet", "-m", "second");
        if (kind === "packed") git(linked, "pack-refs", "--all");
        const found = await facts(linked);
        expect(found).toMatchObject({ root: linked, remote: "https://example.org/a/b" });
        expect(found.revision).toBe(git(linked, "rev-parse", "HEAD"));
        expect(found.revision).not.toBe(git(work, "rev-parse", "HEAD"));
      });
    },
  );
  test("a submodule", async () => {
    await withRepository(async (work, facts) => {
      git(work, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", "./", "module");
      expect((await facts(join(work, "module"))).revision).toBe(git(join(work, "module"), "rev-parse", "HEAD"));
    });
  });
  test("a sha256 repository", async () => {
    await withFolder({ "work/file": "x" }, async (folder) => {
      const work = join(folder, "work");
      git(work, "init", "--quiet", "--object-format=sha256");
      git(work, "add", ".");
      git(work, "commit", "--quiet", "-m", "first");
      const { revision } = await gitFacts(work, { home: folder });
      expect(revision).toHaveLength(64);
      expect(revision).toBe(git(work, "rev-parse", "HEAD"));
    });
  });
});

describe("gitFacts() falls back to unknown", () => {
  const nothing = { root: undefined, revision: "unknown", remote: undefined, author: {} };
  test("outside a repository", async () => {
    await withFolder({ "plain/x": "" }, async (folder) => {
      expect(await gitFacts(join(folder, "plain"), { home: folder })).toEqual(nothing);
    });
  });
  test("before the first commit", async () => {
    await withFolder({ "work/x": "" }, async (folder) => {
      git(join(folder, "work"), "init", "--quiet");
      expect((await gitFacts(join(folder, "work"), { home: folder })).revision).toBe("unknown");
    });
  });
  test("where .git is a file that names nothing", async () => {
    await withFolder({ "work/.git": "gitdir: /nonexistent\n" }, async (folder) => {
      expect((await gitFacts(join(folder, "work"), { home: folder })).revision).toBe("unknown");
    });
  });
  test("where HEAD points out of the repository", async () => {
    await withFolder(
      { "work/.git/HEAD": "ref: refs/../../secret\n", "work/secret": "a".repeat(40) },
      async (folder) => {
        expect((await gitFacts(join(folder, "work"), { home: folder })).revision).toBe("unknown");
      },
    );
  });
  test("where the folder does not exist", async () => {
    await withFolder({}, async (folder) => {
      expect(await gitFacts(join(folder, "none/none"), { home: folder })).toEqual(nothing);
    });
  });
});

test("gitFacts() takes the author from the environment, the repository, ~/.gitconfig and XDG, in this order", async () => {
  await withRepository(async (work, facts, home) => {
    await mkdir(join(home, ".config/git"), { recursive: true });
    await writeFile(join(home, ".config/git/config"), "[user]\n\tname = X\n\temail = x@example.org\n");
    expect((await facts()).author).toEqual({ name: "X", email: "x@example.org" });
    await writeFile(join(home, ".gitconfig"), '[user]\n\tname = "H"\n');
    expect((await facts()).author).toEqual({ name: "H", email: "x@example.org" });
    git(work, "config", "user.name", "R");
    expect((await facts()).author).toEqual({ name: "R", email: "x@example.org" });
    const env = { GIT_AUTHOR_NAME: "E" };
    expect((await gitFacts(work, { home, env })).author).toEqual({ name: "E", email: "x@example.org" });
    await rm(join(home, ".config"), { recursive: true });
    await mkdir(join(home, "xdg/git"), { recursive: true });
    await writeFile(join(home, "xdg/git/config"), "[user]\nemail = y@example.org\n");
    expect((await gitFacts(work, { home, configHome: join(home, "xdg") })).author.email).toBe("y@example.org");
  });
});

describe("parseAuthor() reads", () => {
  test.each<[text: string, author: object]>([
    ["[user]\nname = A B\nemail = a@b", { name: "A B", email: "a@b" }],
    ["[USER]\n\tName=A ; comment\n", { name: "A" }],
    ['[user]\nname = "A # B" # c\n', { name: "A # B" }],
    ['[user]\nname = "A \\"B\\""\n', { name: 'A "B"' }],
    ["[user]\nname = A \\\n  B\n", { name: "A   B" }],
    ["[user] name = A\n", { name: "A" }],
    ["[user]\nname = A\n[core]\nname = B\n", { name: "A" }],
    ['[user "x"]\nname = A\n', {}],
    ["[user]\nname = A\nname = B\n", { name: "B" }],
    ["[user]\nname =\n", {}],
    ["# [user]\nname = A\n", {}],
    ["[user]\r\nname = A\r\n", { name: "A" }],
  ])("%j", (text, author) => {
    expect(parseAuthor(text)).toEqual(author);
  });
});
