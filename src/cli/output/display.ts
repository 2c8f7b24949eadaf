import type { Event, NodeEvent, StepEvent, TransferEvent, WaitEvent } from "../../core/event.ts";
import type { TextStyle } from "../command.ts";
import { formatDuration } from "./bytes.ts";
import { renderWarning } from "./errors.ts";
import { Progress, renderBars, renderLine } from "./progress.ts";
import { redacted, visibleLine } from "./visible.ts";

/** How progress is shown: drawn over on a terminal, a line every few seconds in a log, or not at all. */
export type DisplayMode = "bars" | "lines" | "none";

/** What a display needs of the world. */
export interface DisplaySettings {
  readonly mode: DisplayMode;
  /** Hides waits and steps; never warnings. */
  readonly quiet: boolean;
  readonly debug: boolean;
  readonly style: TextStyle;
  columns(): number;
  /** Milliseconds that never go back. */
  now(): number;
  /** Writes to standard error. */
  write(text: string): void;
  /** Calls `tick` every `milliseconds` until the function returned is called; keeps no process alive. */
  every(milliseconds: number, tick: () => void): () => void;
}

const drawEveryMs = 100;
/** Milliseconds between two lines of a log; work that is shorter gets none. */
const lineEveryMs = 5000;

/** Standard error while an operation runs: events become bars or lines. */
export class Display {
  readonly #settings: DisplaySettings;
  readonly #progress = new Progress();
  #drawnRows = 0;
  #stopTicking: (() => void) | undefined;
  #outputOf: string | undefined;
  /** When the wait that was last told for a host and reason ends: sixteen connections wait for the same. */
  readonly #waits = new Map<string, number>();

  constructor(settings: DisplaySettings) {
    this.#settings = settings;
  }

  /** Shows the event, now or with the next tick. */
  event(event: Event): void {
    const { style, quiet, debug, mode } = this.#settings;
    if (event.kind === "warning") this.note(renderWarning(event.message, style));
    else if (event.kind === "debug") {
      if (debug) this.note(`${style.dim(`debug: ${visibleLine(redacted(event.message))}`)}\n`);
    } else if (event.kind === "wait") {
      if (!quiet) this.#wait(event);
    } else if (mode !== "none") this.#advance(event);
  }

  #wait({ reason, milliseconds }: WaitEvent): void {
    const now = this.#settings.now();
    // Some reasons name the blob: the host and the state are what matters
    const key = reason.replace(/\bsha(?:256|512):[0-9a-f]+/g, "");
    if ((this.#waits.get(key) ?? now) > now) return;
    this.#waits.set(key, now + milliseconds);
    this.note(`Waiting ${formatDuration(milliseconds)}: ${visibleLine(redacted(reason))}\n`);
  }

  #advance(event: NodeEvent | TransferEvent | StepEvent): void {
    const { mode } = this.#settings;
    this.#progress.apply(event, this.#settings.now());
    if (event.kind === "step") this.#step(event);
    this.#stopTicking ??= this.#settings.every(mode === "bars" ? drawEveryMs : lineEveryMs, () => this.#tick());
  }

  /** Writes lines that stay, above the bars. */
  note(text: string): void {
    this.#settings.write(`${this.#clearing()}${text}`);
  }

  /** Takes the bars away and shows no more progress. */
  finish(): void {
    this.#stopTicking?.();
    this.#stopTicking = undefined;
    const clearing = this.#clearing();
    if (clearing !== "") this.#settings.write(clearing);
  }

  #tick(): void {
    const now = this.#settings.now();
    if (this.#settings.mode === "lines") {
      const line = renderLine(this.#progress, now);
      if (line !== undefined) this.#settings.write(`${line}\n`);
      return;
    }
    const rows = renderBars(this.#progress, now, this.#settings.columns());
    if (rows.length === 0 && this.#drawnRows === 0) return;
    const text = rows.map((row) => `${row}\n`).join("");
    this.#settings.write(`${this.#clearing()}${text}`);
    this.#drawnRows = rows.length;
  }

  #step(event: StepEvent): void {
    const { style, mode, debug } = this.#settings;
    const name = visibleLine(event.name);
    const took = event.duration === undefined ? "" : ` (${formatDuration(event.duration)})`;
    if (event.state === "finished") this.note(`${style.green("done:")} ${name}${took}\n`);
    else if (event.state === "failed") this.note(`${style.red("failed:")} ${name}${took}\n`);
    else if (event.state === "started" && mode === "lines") this.note(`step: ${name}\n`);
    else if (event.state === "output" && event.text !== undefined && (mode === "lines" || debug)) {
      if (this.#outputOf !== event.name) this.note(`${name}:\n`);
      this.note(`  ${visibleLine(event.text.replace(/\t/g, "    "))}\n`);
    }
    this.#outputOf = event.state === "output" ? event.name : undefined;
  }

  // Up over the drawn rows, and everything below is erased
  #clearing(): string {
    if (this.#drawnRows === 0) return "";
    const rows = this.#drawnRows;
    this.#drawnRows = 0;
    return `\u001b[${rows}A\r\u001b[J`;
  }
}
