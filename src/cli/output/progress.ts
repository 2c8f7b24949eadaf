import type { Event } from "../../core/event.ts";
import { formatBytes, formatDuration } from "./bytes.ts";
import { visibleLine } from "./visible.ts";

/** A node that is on its way. */
interface ActiveNode {
  readonly digest: string;
  readonly size: number;
  moved: number;
}

/** A step that runs. */
interface ActiveStep {
  readonly startedAt: number;
  lastOutput: string | undefined;
}

/** What is known of the work so far: made of events, read by `renderBars` and `renderLine`. Times in milliseconds. */
export class Progress {
  readonly active = new Map<string, ActiveNode>();
  readonly steps = new Map<string, ActiveStep>();
  nodes = 0;
  finishedNodes = 0;
  /** Bytes of every node seen, of those that need not move too. */
  totalBytes = 0;
  /** Bytes that are there: moved, or found present. */
  doneBytes = 0;
  startedAt: number | undefined;
  /** When the first byte moved. */
  movingSince: number | undefined;
  /** Bytes that moved, those of retries too. */
  movedBytes = 0;
  readonly #samples: { at: number; bytes: number }[] = [];

  /** Takes one event into account; `now` never goes back. */
  apply(event: Event, now: number): void {
    if (event.kind === "node") this.#node(event, now);
    else if (event.kind === "transfer") this.#transfer(event.digest, event.bytes, now);
    else if (event.kind === "step") this.#step(event, now);
  }

  /** Bytes a second over the last five seconds; undefined while nothing moved. */
  speed(now: number): number | undefined {
    while (this.#samples.length > 0 && (this.#samples[0]?.at ?? now) < now - speedWindowMs) this.#samples.shift();
    const [oldest] = this.#samples;
    if (oldest === undefined || this.startedAt === undefined) return undefined;
    const span = Math.max(200, Math.min(now - this.startedAt, speedWindowMs));
    const bytes = this.#samples.reduce((sum, sample) => sum + sample.bytes, 0);
    return bytes > 0 ? (bytes * 1000) / span : undefined;
  }

  /** Milliseconds until all bytes seen so far are there; undefined while the speed says nothing yet, or it is days. */
  timeLeft(now: number): number | undefined {
    const speed = this.speed(now);
    if (speed === undefined || this.movingSince === undefined) return undefined;
    if (this.movedBytes < meaningfulBytes && now - this.movingSince < meaningfulMs) return undefined;
    const left = ((this.totalBytes - this.doneBytes) / speed) * 1000;
    return left <= maxTimeLeftMs ? left : undefined;
  }

  #node(event: Extract<Event, { kind: "node" }>, now: number): void {
    const size = Math.max(0, event.size);
    const active = this.active.get(event.digest);
    if (event.state === "started") {
      this.startedAt ??= now;
      if (active !== undefined) return;
      this.active.set(event.digest, { digest: event.digest, size, moved: 0 });
      this.nodes++;
      this.totalBytes += size;
      return;
    }
    if (active === undefined) {
      // Found present without ever having been started
      this.startedAt ??= now;
      this.nodes++;
      this.totalBytes += size;
    }
    this.active.delete(event.digest);
    if (event.state === "failed") {
      this.doneBytes -= active?.moved ?? 0;
      return;
    }
    this.finishedNodes++;
    this.doneBytes += size - (active?.moved ?? 0);
  }

  #transfer(digest: string, bytes: number, now: number): void {
    this.startedAt ??= now;
    this.movingSince ??= now;
    this.movedBytes += Math.max(0, bytes);
    this.#samples.push({ at: now, bytes });
    const active = this.active.get(digest);
    if (active === undefined) return;
    // After a retry bytes may come twice
    const moved = Math.max(0, Math.min(active.size, active.moved + bytes));
    this.doneBytes += moved - active.moved;
    active.moved = moved;
  }

  #step(event: Extract<Event, { kind: "step" }>, now: number): void {
    if (event.state === "started") this.steps.set(event.name, { startedAt: now, lastOutput: undefined });
    else if (event.state === "output") {
      const step = this.steps.get(event.name);
      if (step !== undefined && event.text !== undefined && event.text.trim() !== "") step.lastOutput = event.text;
    } else this.steps.delete(event.name);
  }
}

const speedWindowMs = 5000;
/** Before this much has moved, or for this long, small manifests would speak for the large layers behind them. */
const meaningfulBytes = 1024 * 1024;
const meaningfulMs = 2000;
const maxTimeLeftMs = 99 * 60 * 60 * 1000;
const maxRows = 8;

/** What a terminal of `columns` shows at this moment: rows without line ends, none wider than the terminal. */
export function renderBars(progress: Progress, now: number, columns: number): readonly string[] {
  const width = Math.max(20, columns - 1);
  const rows: string[] = [];
  for (const [name, step] of [...progress.steps].slice(-maxRows)) {
    const output = step.lastOutput === undefined ? "" : `: ${visibleLine(step.lastOutput)}`;
    rows.push(cut(`  ${visibleLine(name)} (${formatDuration(now - step.startedAt)})${output}`, width));
  }
  // The largest say the most; small ones come and go too fast to read
  const largest = [...progress.active.values()].sort((a, b) => b.size - a.size).slice(0, maxRows);
  for (const node of largest) rows.push(cut(nodeRow(node, width), width));
  if (progress.nodes > 0) rows.push(cut(`  ${summary(progress, now)}`, width));
  return rows;
}

/** The one line that a log gets every few seconds; undefined where nothing is under way. */
export function renderLine(progress: Progress, now: number): string | undefined {
  if (progress.nodes > 0 && progress.finishedNodes < progress.nodes) return summary(progress, now);
  const [step] = [...progress.steps].slice(-1);
  if (step === undefined) return undefined;
  return `${visibleLine(step[0])}: running for ${formatDuration(now - step[1].startedAt)}`;
}

function nodeRow(node: ActiveNode, width: number): string {
  const [algorithm = "", hex = ""] = node.digest.split(":");
  const name = `${algorithm}:${hex.slice(0, 12)}`;
  const amount = `${formatBytes(node.moved)} of ${formatBytes(node.size)}`;
  const room = Math.min(32, width - name.length - 28);
  if (room < 8) return `  ${name} ${amount}`;
  const filled = node.size === 0 ? room : Math.floor((node.moved / node.size) * room);
  const bar = `${"=".repeat(filled)}${filled < room ? ">" : ""}`.slice(0, room).padEnd(room);
  return `  ${name} [${bar}] ${amount}`;
}

function summary(progress: Progress, now: number): string {
  const { finishedNodes, nodes, doneBytes, totalBytes } = progress;
  const parts = [`${finishedNodes} of ${nodes} done`, `${formatBytes(doneBytes)} of ${formatBytes(totalBytes)}`];
  const speed = progress.speed(now);
  if (speed !== undefined) {
    parts.push(`${formatBytes(speed)}/s`);
    const left = progress.timeLeft(now);
    if (left !== undefined && left >= 1000) parts.push(`${formatDuration(left)} left`);
  }
  return parts.join(", ");
}

function cut(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, width - 3)}...`;
}
