import { defer, type Observable, of, switchMap, timer } from 'rxjs';
import type { RunsContext } from './context.ts';

/** How often an action is sent again for the runs that it did not take effect on. */
const MAX_SENDS = 5;

/** Pauses between looks after each send, in milliseconds: an idle server acts within some ms, a busy one within 300. */
const LOOK_PAUSES_MS = [20, 50, 100, 200, 400, 800] as const;

/** What is still open of an action on many runs. */
export interface Progress<R> {
  /** Runs on which the action has not taken effect yet. */
  readonly pending: readonly string[];
  readonly result: R;
}

/** An action that the server may lose, and how to see whether it did. */
export interface Action<R> {
  readonly operation: string;
  /** Sends the action for these runs, once. */
  readonly send: (ids: readonly string[]) => Observable<unknown>;
  /** Looks which of the pending runs the action took effect on, and moves them into the result. */
  readonly look: (progress: Progress<R>) => Observable<Progress<R>>;
}

/**
 * Sends an action, looks whether it took effect, and sends it again for the runs that it did not reach.
 *
 * Emits: the progress once, when nothing is pending or after five sends. Errors: as `send` and `look`.
 */
export function untilItTakesEffect<R>(
  context: RunsContext,
  action: Action<R>,
  start: Progress<R>,
): Observable<Progress<R>> {
  const round = (progress: Progress<R>, sends: number): Observable<Progress<R>> => {
    if (progress.pending.length === 0 || sends === MAX_SENDS) return of(progress);
    return action.send(progress.pending).pipe(
      switchMap(() => looks(progress, 0)),
      switchMap((next) => round(next, sends + 1)),
    );
  };
  const looks = (progress: Progress<R>, index: number): Observable<Progress<R>> => {
    const ms = LOOK_PAUSES_MS[index];
    if (ms === undefined || progress.pending.length === 0) return of(progress);
    return defer(() => {
      context.diagnose?.({ type: 'wait', operation: action.operation, ms, reason: 'taking-effect' });
      return timer(ms);
    }).pipe(
      switchMap(() => action.look(progress)),
      switchMap((next) => looks(next, index + 1)),
    );
  };
  return round(start, 0);
}

/** How long all looks of all sends take at most, in milliseconds; for error messages. */
export const EFFECT_TIMEOUT_MS: number = MAX_SENDS * LOOK_PAUSES_MS.reduce((sum, ms) => sum + ms, 0);

/** Splits an array into pieces of at most `size`. */
export function piecesOf<A>(items: readonly A[], size: number): readonly (readonly A[])[] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size),
  );
}
