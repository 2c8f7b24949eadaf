/** Something that happens while an operation runs; only `cli/` turns events into lines or bars. */
export type Event = NodeEvent | TransferEvent | WarningEvent | WaitEvent | StepEvent | DebugEvent;

/** A node of a copy began, ended, or was found to need nothing. */
export interface NodeEvent {
  readonly kind: "node";
  readonly state: "started" | "finished" | "failed";
  readonly digest: string;
  /** Bytes, from the descriptor. */
  readonly size: number;
  readonly mediaType: string;
  readonly outcome?: "present" | "mounted" | "linked" | "sent";
}

/** Bytes of a node that moved since the last such event. Fast paths may report them late or in one piece. */
export interface TransferEvent {
  readonly kind: "transfer";
  readonly digest: string;
  readonly bytes: number;
}

/** Something the user should know although the operation goes on; already free of control characters. */
export interface WarningEvent {
  readonly kind: "warning";
  /** Stable and kebab-case, as `registry-warning`, `plain-text-credentials`. */
  readonly code: string;
  readonly message: string;
}

/** The program waits, and says for what and how long. */
export interface WaitEvent {
  readonly kind: "wait";
  readonly reason: string;
  readonly milliseconds: number;
}

/** A step of a longer operation (a stage of a build, a phase of publish). */
export interface StepEvent {
  readonly kind: "step";
  readonly state: "started" | "finished" | "failed" | "output";
  readonly name: string;
  /** Milliseconds, where the state is `finished` or `failed`. */
  readonly duration?: number;
  /** A line of output, where the state is `output`. */
  readonly text?: string;
}

/** A request or a decision, without secrets; shown with `--debug`. */
export interface DebugEvent {
  readonly kind: "debug";
  readonly message: string;
}
