// From the module, not the globals: fake timers of a test runner replace only the latter.
import { clearTimeout as clear, setTimeout as set } from 'node:timers';

/** A timer of the engine, to be stopped by its owner. */
export interface Timer {
  /** Stops it; a timer that has fired is left alone. */
  stop(): void;
}

/** All timers of one engine, so that closing it leaves none behind. */
export interface Timers {
  /** Calls `run` once after `ms`; with `ms` of 0 or less at once, before this returns. */
  after(ms: number, run: () => void): Timer;
  /** A promise that is kept after `ms`, or at once when the engine closes. */
  pause(ms: number): Promise<void>;
  /** Stops them all and starts no more. */
  close(): void;
}

// Longer delays overflow Node's timers and would fire at once; about 24 days are as good as for ever here.
const LONGEST_MS = 2 ** 31 - 1;

const NEVER: Timer = { stop: () => {} };

/** An empty set of timers. */
export const createTimers = (): Timers => {
  const open = new Set<ReturnType<typeof set>>();
  const pauses = new Set<() => void>();
  let closed = false;
  const after = (ms: number, run: () => void): Timer => {
    if (closed) return NEVER;
    if (ms <= 0) {
      run();
      return NEVER;
    }
    const timer = set(
      () => {
        open.delete(timer);
        run();
      },
      Math.min(ms, LONGEST_MS),
    );
    open.add(timer);
    return {
      stop() {
        open.delete(timer);
        clear(timer);
      },
    };
  };
  return {
    after,
    pause(ms) {
      if (closed || ms <= 0) return Promise.resolve();
      return new Promise((resolve) => {
        pauses.add(resolve);
        after(ms, () => {
          pauses.delete(resolve);
          resolve();
        });
      });
    },
    close() {
      closed = true;
      for (const timer of open) clear(timer);
      open.clear();
      for (const resolve of pauses) resolve();
      pauses.clear();
    },
  };
};
