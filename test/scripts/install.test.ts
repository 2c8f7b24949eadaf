import { afterEach, beforeEach, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describeWithPeers } from "../support/peers.ts";

const script = join(import.meta.dir, "../../install.sh");
/** A stand-in for the executable: the script only asks it for its version. */
const executable = '#!/bin/sh\n[ "$1" = version ] && echo "library 9.8.7"\n';
/** What the script may use besides curl or wget and a program for SHA-256. */
const posix = ["sh", "cat", "chmod", "dirname", "grep", "mkdir", "mv", "rm", "rmdir", "sed"];

let folder: string;
let server: Server;
/** What the server has at each path; `cut` promises more bytes than it sends. */
let files: Map<string, { readonly body: string; readonly cut?: boolean }>;
let requested: string[];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "library-install-"));
  chmodSync(folder, 0o755);
  files = new Map();
  requested = [];
  server = createServer((request, response) => {
    const path = request.url ?? "";
    requested.push(path);
    const file = files.get(path);
    if (!file) {
      response.writeHead(404).end("nothing here");
    } else if (file.cut) {
      response.writeHead(200, { "content-length": file.body.length + 1000 });
      response.write(file.body, () => response.destroy());
    } else {
      response.writeHead(200, { "content-length": file.body.length }).end(file.body);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});

afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  rmSync(folder, { recursive: true, force: true });
});

/** What the machine of a test is like. */
interface Machine {
  readonly system?: string;
  readonly cpu?: string;
  readonly musl?: boolean;
  readonly avx2?: boolean;
  readonly download?: readonly string[];
  readonly sums?: readonly string[];
}

/** A folder that is the whole PATH: real programs by link, and what tells the machine as stand-ins. */
function makePath(machine: Machine): string {
  const bin = join(folder, "bin");
  rmSync(bin, { recursive: true, force: true });
  mkdirSync(bin);
  for (const name of [...posix, ...(machine.download ?? ["curl"]), ...(machine.sums ?? ["sha256sum"])]) {
    const path = Bun.which(name);
    if (path === null) throw new Error(`this test needs ${name} on PATH`);
    if (name === "grep") {
      const answer = (machine.avx2 ?? true) ? 0 : 1;
      program(bin, name, `case "$*" in *avx2*/proc/cpuinfo*) exit ${answer} ;; esac\nexec ${path} "$@"`);
    } else symlinkSync(path, join(bin, name));
  }
  const answers = `case $1 in -s) echo ${machine.system ?? "Linux"} ;; -m) echo ${machine.cpu ?? "x86_64"} ;; esac`;
  program(bin, "uname", answers);
  program(bin, "getconf", machine.musl ? "exit 1" : 'echo "glibc 2.36"');
  program(bin, "ldd", machine.musl ? 'echo "musl libc (x86_64)" >&2; exit 1' : 'echo "ldd (GNU libc) 2.36"');
  program(
    bin,
    "sysctl",
    `case $2 in machdep.cpu.leaf7_features) echo "SMEP ${machine.avx2 ? "AVX2" : ""} ERMS" ;; esac`,
  );
  return bin;
}

function program(bin: string, name: string, text: string): void {
  writeFileSync(join(bin, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
}

/** Runs the script as `curl … | sh` does: from stdin. */
async function install(machine: Machine, options: { args?: readonly string[]; base?: string; uid?: number } = {}) {
  const home = join(folder, "home");
  mkdirSync(home, { recursive: true });
  const port = (server.address() as AddressInfo).port;
  const sh = Bun.which("sh") ?? "/bin/sh";
  const setuid =
    options.uid === undefined ? [] : [Bun.which("setpriv") ?? "setpriv", `--reuid=${options.uid}`, "--clear-groups"];
  const child = Bun.spawn([...setuid, sh, "-s", "--", ...(options.args ?? [])], {
    env: { PATH: makePath(machine), HOME: home, LIBRARY_BASE_URL: options.base ?? `http://127.0.0.1:${port}/v1/` },
    stdin: Bun.file(script),
    stdout: "pipe",
    stderr: "pipe",
    cwd: folder,
  });
  const [stdout, stderr, status] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { status, stdout, stderr, home };
}

/** Serves the stand-in as the executable of `machine`, with its sum. */
function serve(machine: string, options: { body?: string; sum?: string; cut?: boolean } = {}): void {
  const body = options.body ?? executable;
  const sum = options.sum ?? createHash("sha256").update(body).digest("hex");
  files.set("/v1/SHA256SUMS", { body: `${"0".repeat(64)}  library-other\n${sum}  library-${machine}\n` });
  files.set(`/v1/library-${machine}`, { body, cut: options.cut ?? false });
}

// The tools that a test hides from the script have to be there for the others
const tools = ["curl", "wget", "sha256sum", "shasum", "openssl"];

describeWithPeers(tools, "install.sh", () => {
  test("installs an executable whose sum is right to ~/.local/bin", async () => {
    serve("linux-x64");
    const { status, stdout, stderr, home } = await install({});
    expect(stderr).toBe("");
    expect(status).toBe(0);
    expect(stdout).toContain("Installed library 9.8.7");
    expect(stdout).toContain("Add it to your PATH");
    const target = join(home, ".local/bin");
    expect(readdirSync(target)).toEqual(["library"]);
    expect(readFileSync(join(target, "library"), "utf8")).toBe(executable);
    expect(statSync(join(target, "library")).mode & 0o777).toBe(0o755);
  });

  test.each([["curl"], ["wget"]])("needs no more than %s to download", async (tool) => {
    serve("linux-x64");
    const { status, stderr, home } = await install({ download: [tool] });
    expect(stderr).toBe("");
    expect(status).toBe(0);
    expect(existsSync(join(home, ".local/bin/library"))).toBe(true);
  });

  test.each([["sha256sum"], ["shasum"], ["openssl"]])("checks the sum with %s alone", async (tool) => {
    serve("linux-x64");
    expect((await install({ sums: [tool] })).status).toBe(0);
    serve("linux-x64", { sum: "1".repeat(64) });
    expect((await install({ sums: [tool] })).status).toBe(1);
  });

  test.each([
    ["linux-x64", { avx2: true }],
    ["linux-x64-baseline", { avx2: false }],
    ["linux-x64-musl", { musl: true }],
    ["linux-x64-musl-baseline", { musl: true, avx2: false }],
    ["linux-arm64", { cpu: "aarch64", avx2: false }],
    ["linux-arm64-musl", { cpu: "aarch64", musl: true }],
    ["darwin-x64", { system: "Darwin", avx2: true }],
    ["darwin-x64-baseline", { system: "Darwin", avx2: false }],
    ["darwin-arm64", { system: "Darwin", cpu: "arm64" }],
  ] satisfies [string, Machine][])("takes library-%s where the machine is that", async (name, machine) => {
    serve(name);
    const { status, stderr } = await install(machine);
    expect(stderr).toBe("");
    expect(status).toBe(0);
    expect(requested).toEqual(["/v1/SHA256SUMS", `/v1/library-${name}`]);
  });

  test("replaces an older executable in --dir, whose name may have blanks", async () => {
    serve("linux-x64");
    const target = join(folder, "my programs");
    mkdirSync(target);
    writeFileSync(join(target, "library"), "old");
    expect((await install({}, { args: ["--dir", "my programs"] })).status).toBe(0);
    expect(readFileSync(join(target, "library"), "utf8")).toBe(executable);
    expect(readdirSync(target)).toEqual(["library"]);
  });

  test.each([
    ["the sum is wrong", "has the SHA-256", () => serve("linux-x64", { sum: "1".repeat(64) })],
    ["the download is cut", "cannot be downloaded", () => serve("linux-x64", { cut: true })],
    [
      "the executable is missing",
      "cannot be downloaded",
      () => {
        serve("linux-x64");
        files.delete("/v1/library-linux-x64");
      },
    ],
    ["the sums are missing", "SHA256SUMS cannot be downloaded", () => {}],
    ["the sums do not name it", "no executable for this machine", () => serve("linux-arm64")],
    ["it does not run", "does not run here", () => serve("linux-x64", { body: "#!/nonexistent\n" })],
  ])("leaves nothing behind and the old executable alone when %s", async (_, message, prepare) => {
    for (const download of ["curl", "wget"]) {
      prepare();
      const fresh = await install({ download: [download] });
      expect(fresh.stderr).toContain(message);
      expect(fresh.status).toBe(1);
      expect(readdirSync(fresh.home)).toEqual([]);

      const target = join(folder, "there");
      mkdirSync(target);
      writeFileSync(join(target, "library"), "old");
      expect((await install({ download: [download] }, { args: [`--dir=${target}`] })).status).toBe(1);
      expect(readdirSync(target)).toEqual(["library"]);
      expect(readFileSync(join(target, "library"), "utf8")).toBe("old");
      rmSync(target, { recursive: true });
    }
  });

  test("downloads nothing when the folder is not writable", async () => {
    serve("linux-x64");
    const target = join(folder, "locked");
    mkdirSync(target);
    chmodSync(target, 0o555);
    // Permissions do not bind root, so that root runs this as somebody else
    const root = process.getuid?.() === 0;
    if (root) {
      mkdirSync(join(folder, "home"));
      chownSync(join(folder, "home"), 65534, 65534);
    }
    const { status, stderr } = await install({}, { args: ["--dir", target], ...(root ? { uid: 65534 } : {}) });
    expect(stderr).toContain("not writable");
    expect(status).toBe(1);
    expect(requested).toEqual([]);
    expect(readdirSync(target)).toEqual([]);
  });

  test("fails before any download when the folder cannot be made", async () => {
    serve("linux-x64");
    writeFileSync(join(folder, "file"), "");
    const { status, stderr } = await install({}, { args: ["--dir", join(folder, "file", "bin")] });
    expect(stderr).toContain("cannot be made");
    expect(status).toBe(1);
    expect(requested).toEqual([]);
  });

  test.each([
    ["an unknown system", { system: "FreeBSD" }, "FreeBSD on x64"],
    ["an unknown CPU", { cpu: "riscv64" }, "Linux on riscv64"],
    ["no program to download with", { download: [] }, "neither curl nor wget"],
    ["no program to compute sums with", { sums: [] }, "SHA-256"],
  ] satisfies [string, Machine, string][])("says what is wrong with %s", async (_, machine, message) => {
    const { status, stderr, home } = await install(machine);
    expect(stderr).toContain(message);
    expect(status).toBe(1);
    expect(requested).toEqual([]);
    expect(readdirSync(home)).toEqual([]);
  });

  test.each([
    ["LIBRARY_BASE_URL is not set", { base: "" }],
    ["no http or https URL", { base: "ftp://127.0.0.1/" }],
    ["unknown argument", { args: ["--prefix"] }],
    ["--dir needs a folder", { args: ["--dir"] }],
  ])("refuses its input: %s", async (message, options) => {
    const { status, stderr } = await install({}, options);
    expect(stderr).toContain(message);
    expect(status).toBe(1);
  });
});
