/** Watches for an exchange in which nothing moves. */
export interface IdleTimer {
  /** From now on the network is waited for; counts from zero again where it was already. */
  start(): void;
  /** Something moved, or somebody other than the network is waited for. */
  stop(): void;
}

/** A timer, not started, that calls `onIdle` once `milliseconds` after a `start` that no `stop` followed. */
export function idleTimer(milliseconds: number, onIdle: () => void): IdleTimer {
  let timer: NodeJS.Timeout | undefined;
  return {
    start() {
      clearTimeout(timer);
      timer = setTimeout(onIdle, milliseconds);
    },
    stop() {
      clearTimeout(timer);
      timer = undefined;
    },
  };
}
