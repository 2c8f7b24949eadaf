import type { Stats } from "node:fs";
import { mkdir, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { hexOf } from "../core/hashing.ts";
import type { Random } from "../core/ports.ts";
import { errorCode } from "../store/file-error.ts";
import { refusal } from "./errors.ts";
import { UploadSession } from "./upload-session.ts";

/** What the sessions of a registry need from outside, and their bounds. */
export interface UploadsOptions {
  readonly random: Random;
  readonly now: () => Date;
  /** Sessions at a time. Default 4096. */
  readonly maxSessions?: number;
  /** Milliseconds without a request after which a session is forgotten with its bytes, when the next upload begins. Default 24 hours. */
  readonly maxAgeMs?: number;
}

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

/**
 * The uploads that are under way. Their bytes lie in one folder outside every layout, one file a session, so that those
 * that hold bytes survive a restart; a file's name ties its session to its repository.
 */
export class Uploads {
  readonly #folder: string;
  readonly #options: UploadsOptions;
  readonly #maxSessions: number;
  readonly #maxAgeMs: number;
  readonly #sessions = new Map<string, UploadSession>();
  #adopted: Promise<void> | undefined;

  constructor(folder: string, options: UploadsOptions) {
    this.#folder = folder;
    this.#options = options;
    this.#maxSessions = options.maxSessions ?? 4096;
    this.#maxAgeMs = options.maxAgeMs ?? 24 * hourMs;
  }

  /** A new session of no bytes. Throws a Refusal, 429, where too many are under way. */
  async start(repository: string): Promise<UploadSession> {
    await this.#ready();
    const now = this.#options.now().getTime();
    await this.#discardIdle(now, () => this.#maxAgeMs);
    if (this.#sessions.size >= this.#maxSessions) await this.#makeRoom(now);
    const id = uuid(this.#options.random.hex(16));
    const session = new UploadSession(id, this.#path(repository, id), 0, now);
    this.#sessions.set(id, session);
    return session;
  }

  /** The session of that id in that repository; throws a Refusal, 404 BLOB_UPLOAD_UNKNOWN. */
  async find(repository: string, id: string): Promise<UploadSession> {
    await this.#ready();
    const session = this.#sessions.get(id);
    const now = this.#options.now().getTime();
    if (session === undefined || session.path !== this.#path(repository, id)) throw unknown();
    if (!session.busy && now - session.touched > this.#maxAgeMs) {
      await this.discard(session);
      throw unknown();
    }
    session.touched = now;
    return session;
  }

  /** The session is forgotten and its bytes are gone. */
  async discard(session: UploadSession): Promise<void> {
    this.#sessions.delete(session.id);
    await session.remove();
  }

  #path(repository: string, id: string): string {
    const owner = hexOf("sha256", repository).slice(0, 32);
    return join(this.#folder, `${id}.${owner}`);
  }

  #ready(): Promise<void> {
    this.#adopted ??= this.#adopt().catch((error: unknown) => {
      // The next request tries again: the folder may be usable by then
      this.#adopted = undefined;
      throw error;
    });
    return this.#adopted;
  }

  /** Takes up the sessions that an earlier process left, and removes those that are too old. */
  async #adopt(): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    const now = this.#options.now().getTime();
    for (const file of await readdir(this.#folder)) {
      const path = join(this.#folder, file);
      // A process that died while it put a whole blob into its layout; the client will send it again
      if (file.endsWith(".whole")) await rm(path, { recursive: true, force: true });
      const id = /^([0-9a-f-]{36})\.[0-9a-f]{32}$/.exec(file)?.[1];
      if (id === undefined) continue;
      const found = await statIfThere(path);
      if (found === undefined) continue;
      const surplus = now - found.mtimeMs > this.#maxAgeMs || this.#sessions.size >= this.#maxSessions;
      if (surplus) await rm(path, { force: true });
      else this.#sessions.set(id, new UploadSession(id, path, found.size, found.mtimeMs));
    }
  }

  async #discardIdle(now: number, longest: (session: UploadSession) => number): Promise<void> {
    for (const session of [...this.#sessions.values()]) {
      if (!session.busy && now - session.touched > longest(session)) await this.discard(session);
    }
  }

  /** Sessions that hold nothing go after a minute (a refused mount leaves one each time), others after an hour. */
  async #makeRoom(now: number): Promise<void> {
    await this.#discardIdle(now, ({ size }) => (size === 0 ? minuteMs : hourMs));
    if (this.#sessions.size < this.#maxSessions) return;
    throw refusal(429, "TOOMANYREQUESTS", `more than ${this.#maxSessions} uploads are under way`, {
      headers: { "retry-after": "60" },
    });
  }
}

/** Undefined where the file is gone: another process may have taken it up, or removed it. */
async function statIfThere(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

function uuid(hex: string): string {
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join("-");
}

function unknown(): Error {
  return refusal(404, "BLOB_UPLOAD_UNKNOWN", "no upload of this id is under way in this repository");
}
