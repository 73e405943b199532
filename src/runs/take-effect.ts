import { asyncScheduler, defer, type Observable, of, switchMap, timer } from 'rxjs';
import type { RunsContext } from './context.ts';

/** Pauses between looks, doubling from the first to the last, in milliseconds: an idle server acts within some ms. */
const FIRST_PAUSE_MS = 20;
const LAST_PAUSE_MS = 800;

/** How long and how often an action is tried. */
export interface Patience {
  /** How often it is sent at most. */
  readonly sends: number;
  /** How long nothing may take effect before it is sent again, in milliseconds. */
  readonly stallMs: number;
}

/** What is still open of an action on many runs. */
export interface Progress<R> {
  /** Runs on which the action has not taken effect yet. */
  readonly pending: readonly string[];
  readonly result: R;
}

/** An action that the server may lose, and how to see whether it did. */
export interface Action<R> {
  readonly operation: string;
  readonly patience: Patience;
  /** Sends the action for these runs, once. */
  readonly send: (ids: readonly string[]) => Observable<unknown>;
  /** Looks which of the pending runs the action took effect on, and moves them into the result. */
  readonly look: (progress: Progress<R>) => Observable<Progress<R>>;
}

/**
 * Sends an action, looks whether it took effect, and sends it again for the runs that it did not reach. As long as one
 * run after the other shows the effect, it waits: a busy server is slow, which is not the same as forgetful.
 *
 * Emits: the progress once, when nothing is pending or after the last send. Errors: as `send` and `look`.
 */
export function untilItTakesEffect<R>(
  context: Pick<RunsContext, 'diagnose'>,
  { operation, patience, send, look }: Action<R>,
  start: Progress<R>,
): Observable<Progress<R>> {
  const round = (progress: Progress<R>, sends: number): Observable<Progress<R>> => {
    if (progress.pending.length === 0 || sends === patience.sends) return of(progress);
    return send(progress.pending).pipe(
      switchMap(() => looks(progress, asyncScheduler.now(), FIRST_PAUSE_MS)),
      switchMap((next) => round(next, sends + 1)),
    );
  };
  const looks = (progress: Progress<R>, movedAt: number, ms: number): Observable<Progress<R>> =>
    defer(() => {
      const stalled = asyncScheduler.now() - movedAt >= patience.stallMs;
      if (progress.pending.length === 0 || stalled) return of(progress);
      context.diagnose?.({ type: 'wait', operation, ms, reason: 'taking-effect' });
      return timer(ms).pipe(
        switchMap(() => look(progress)),
        switchMap((next) => {
          const moved = next.pending.length < progress.pending.length;
          return looks(next, moved ? asyncScheduler.now() : movedAt, Math.min(LAST_PAUSE_MS, ms * 2));
        }),
      );
    });
  return round(start, 0);
}

/** How long an action that does nothing at all is tried, in milliseconds. */
export function triedForMs({ sends, stallMs }: Patience): number {
  return sends * stallMs;
}

/** Splits an array into pieces of at most `size`. */
export function piecesOf<A>(items: readonly A[], size: number): readonly (readonly A[])[] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size),
  );
}
