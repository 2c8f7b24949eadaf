import * as v from "valibot";
import { LibraryError } from "../core/error.ts";
import type { Event } from "../core/event.ts";
import { parseJson } from "../core/json.ts";

/** One step of a build, as reports name it. */
export interface BuildStage {
  readonly name: string;
  readonly status: "done" | "cached" | "failed" | "running";
  /** Milliseconds. */
  readonly duration: number | undefined;
}

/** What is known of a build from its progress. */
export interface BuildProgress {
  /** Takes one line of buildx's standard error: a `rawjson` line or anything else. */
  line(text: string): void;
  /** In the order in which they began. */
  stages(): readonly BuildStage[];
  /** Each once, at most 100. */
  warnings(): readonly string[];
  /** The last lines of the step that failed, else the last lines that were no progress; at most 40. */
  tail(): readonly string[];
}

const vertexSchema = v.looseObject({
  digest: v.string(),
  name: v.optional(v.string(), ""),
  started: v.nullish(v.string()),
  completed: v.nullish(v.string()),
  cached: v.nullish(v.boolean()),
  error: v.nullish(v.string()),
});
const logSchema = v.looseObject({ vertex: v.nullish(v.string()), data: v.nullish(v.string()) });
const warningSchema = v.looseObject({ short: v.nullish(v.string()), url: v.nullish(v.string()) });
const statusSchema = v.looseObject({
  vertexes: v.nullish(v.array(vertexSchema)),
  logs: v.nullish(v.array(logSchema)),
  warnings: v.nullish(v.array(warningSchema)),
});

interface Vertex {
  readonly name: string;
  started?: number;
  completed?: number;
  cached: boolean;
  error: string | undefined;
  /** Output without a line end yet. */
  open: string;
  readonly lines: string[];
  decoder: TextDecoder;
}

const tailLines = 40;
const maxLine = 2000;
const maxWarnings = 100;

/** Follows a build by the lines of `--progress=rawjson`, and tells of steps as they begin, write and end. */
export function followBuild(emit: (event: Event) => void): BuildProgress {
  const vertices = new Map<string, Vertex>();
  const plain: string[] = [];
  const warnings = new Set<string>();

  function vertexOf(digest: string, name: string): Vertex {
    const known = vertices.get(digest);
    if (known && (known.name !== "" || name === "")) return known;
    const vertex: Vertex = {
      ...(known ?? { cached: false, error: undefined, open: "", lines: [], decoder: new TextDecoder() }),
      name: visible(name),
    };
    vertices.set(digest, vertex);
    return vertex;
  }

  function update(found: v.InferOutput<typeof vertexSchema>): void {
    const vertex = vertexOf(found.digest, found.name);
    const wasRunning = vertex.completed === undefined;
    if (found.started && vertex.started === undefined) {
      vertex.started = Date.parse(found.started);
      emit({ kind: "step", state: "started", name: vertex.name });
    }
    vertex.cached ||= found.cached === true;
    if (found.error) vertex.error = visible(found.error);
    if (!found.completed) return;
    vertex.completed = Date.parse(found.completed);
    if (!wasRunning) return;
    const duration = durationOf(vertex) ?? 0;
    emit({ kind: "step", state: vertex.error === undefined ? "finished" : "failed", name: vertex.name, duration });
  }

  function write(vertex: Vertex, bytes: Uint8Array): void {
    const lines = (vertex.open + vertex.decoder.decode(bytes, { stream: true })).split(/\r?\n|\r/);
    vertex.open = (lines.pop() ?? "").slice(-maxLine);
    for (const line of lines) {
      const text = visible(line).slice(0, maxLine);
      keep(vertex.lines, text);
      emit({ kind: "step", state: "output", name: vertex.name, text });
    }
  }

  return {
    line(text) {
      const status = text.startsWith("{") ? parseStatus(text) : undefined;
      if (status === undefined) {
        if (text.trim() !== "") keep(plain, visible(text).slice(0, maxLine));
        return;
      }
      for (const vertex of status.vertexes ?? []) update(vertex);
      for (const log of status.logs ?? []) {
        if (log.vertex && log.data) write(vertexOf(log.vertex, ""), Buffer.from(log.data, "base64"));
      }
      for (const warning of status.warnings ?? []) {
        const said = warningText(warning);
        if (said === undefined || warnings.has(said) || warnings.size >= maxWarnings) continue;
        warnings.add(said);
        emit({ kind: "warning", code: "build-warning", message: said });
      }
    },
    stages: () => [...vertices.values()].filter(({ started }) => started !== undefined).map(stageOf),
    warnings: () => [...warnings],
    tail() {
      const failed = [...vertices.values()].filter(({ error }) => error !== undefined);
      // Steps that were only cancelled fail too; the one with output or a real error is the cause
      const cause = failed.find(({ error }) => !/context canceled|\bCanceled\b/.test(error ?? "")) ?? failed[0];
      if (cause === undefined) return plain.slice(-tailLines);
      const lines = cause.open === "" ? cause.lines : [...cause.lines, visible(cause.open)];
      return [...lines, `${cause.name}: ${cause.error}`].slice(-tailLines);
    },
  };
}

function parseStatus(line: string): v.InferOutput<typeof statusSchema> | undefined {
  try {
    const bytes = new TextEncoder().encode(line);
    const result = v.safeParse(statusSchema, parseJson(bytes, "progress of buildx", { maxBytes: 16 * 1024 ** 2 }));
    return result.success ? result.output : undefined;
  } catch (error) {
    // A line that begins with a brace and is no JSON is output like any other
    if (error instanceof LibraryError) return undefined;
    throw error;
  }
}

function warningText({ short, url }: v.InferOutput<typeof warningSchema>): string | undefined {
  if (!short) return undefined;
  const text = visible(Buffer.from(short, "base64").toString("utf8")).slice(0, maxLine);
  return url ? `${text} (${visible(url)})` : text;
}

function stageOf(vertex: Vertex): BuildStage {
  const ended = vertex.completed === undefined ? "running" : vertex.cached ? "cached" : "done";
  return { name: vertex.name, status: vertex.error === undefined ? ended : "failed", duration: durationOf(vertex) };
}

function durationOf({ started, completed }: Vertex): number | undefined {
  return started === undefined || completed === undefined ? undefined : Math.max(0, completed - started);
}

function keep(lines: string[], line: string): void {
  lines.push(line);
  if (lines.length > tailLines) lines.shift();
}

/** Text without control characters, so that a build's output cannot steer the terminal. */
function visible(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is taken out
  return text.replace(/\u001b\[[0-9;?]*[A-Za-z]/g, "").replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, "");
}
