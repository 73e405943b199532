import type { HatchetError } from './error/errors.ts';

/** What the library does, told as it happens: for logs, metrics and tests. Never holds the token. */
export type Diagnostic =
  | {
      /** A request is about to be sent. */
      readonly type: 'request';
      readonly operation: string;
      readonly method: string;
      /** Without the query. */
      readonly path: string;
      /** Counts from 1. */
      readonly attempt: number;
    }
  | {
      /** An answer arrived, whatever its status. */
      readonly type: 'response';
      readonly operation: string;
      readonly method: string;
      readonly path: string;
      readonly attempt: number;
      readonly status: number;
      readonly durationMs: number;
    }
  | {
      /** A request failed and is sent again after `delayMs`. */
      readonly type: 'retry';
      readonly operation: string;
      readonly attempt: number;
      readonly delayMs: number;
      readonly error: HatchetError;
    }
  | {
      /** A waiting stream looked at its run and looks again after `nextMs`. */
      readonly type: 'poll';
      readonly operation: string;
      readonly runId: string;
      /** What was seen; absent while the run is not readable or the look failed. */
      readonly status?: string;
      readonly error?: HatchetError;
      readonly nextMs: number;
    }
  | {
      /** A pause of the library's own making. */
      readonly type: 'wait';
      readonly operation: string;
      readonly ms: number;
      readonly reason: 'not-visible-yet' | 'between-chunks' | 'taking-effect';
    }
  | {
      /** Rows of an answer that could not be read and were left out. */
      readonly type: 'rejected';
      readonly operation: string;
      readonly reasons: readonly string[];
    };

/** Tells a diagnostic; `undefined` when nobody listens, so that none is built. */
export type Diagnose = ((diagnostic: Diagnostic) => void) | undefined;

/** Keeps a listener's own failures away from the streams that it listens to. */
export function shielded(listener: ((diagnostic: Diagnostic) => void) | undefined): Diagnose {
  if (listener === undefined) return undefined;
  return (diagnostic) => {
    try {
      listener(diagnostic);
    } catch {
      // A metrics callback that throws must not end a wait for a run.
    }
  };
}
