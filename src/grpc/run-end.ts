import {
  catchError,
  defer,
  EMPTY,
  filter,
  map,
  merge,
  type Observable,
  of,
  startWith,
  Subject,
  switchMap,
  take,
  timer,
} from 'rxjs';
import type { RunEnd } from '../events/assembler.ts';
import type { EventHost } from '../events/source.ts';
import { type HatchetError, isHatchetError, StreamInterruptedError } from '../error/errors.ts';
import { poll } from '../operators/poll.ts';
import type { Engine, RunLook } from './engine.ts';

/** Pauses between looks after a hint that the run may have ended, in milliseconds; the last one goes on. */
const PAUSES_MS = [50, 100, 250, 500, 1_000, 2_000, 4_000, 8_000, 10_000];

/** The first look without any hint comes after this long, in milliseconds. */
const UNASKED_MS = 1_000;

/**
 * Waits for the end of a run, as the run itself says: connections and events only hint at it.
 *
 * Emits: the end, once. Completes: after it. Errors: when neither the engine nor the REST API can be asked any more. Looks
 * into the engine's store at each hint and now and then; when that fails, watches the run by REST as well.
 *
 * @param hints - each makes it look at once
 * @param seen - how many events were delivered, for the error
 */
export function runEnd(
  { engine, host }: { readonly engine: Engine; readonly host: EventHost },
  operation: string,
  runId: string,
  hints: Observable<unknown>,
  seen: () => number,
): Observable<RunEnd> {
  return defer(() => {
    const missed = new Subject<HatchetError>();
    /** Why the engine's store could not be read the last time. */
    let trouble: HatchetError | undefined;

    const look = (): Observable<RunLook | undefined> =>
      engine.look(operation, runId).pipe(
        map((found) => {
          trouble = undefined;
          return found;
        }),
        catchError((error: unknown) => {
          if (!isHatchetError(error)) throw error;
          trouble = error;
          missed.next(error);
          return of(undefined);
        }),
      );
    const looks = (firstMs: number) => {
      let step = firstMs === 0 ? 0 : PAUSES_MS.indexOf(UNASKED_MS);
      return timer(firstMs).pipe(
        switchMap(() =>
          poll(look, () => {
            const pauseMs = PAUSES_MS[Math.min(step, PAUSES_MS.length - 1)];
            step += 1;
            return pauseMs;
          }),
        ),
      );
    };
    const fromEngine = hints.pipe(
      map(() => 0),
      startWith(UNASKED_MS),
      switchMap(looks),
      filter((found) => found !== undefined && found.done),
      map((found): RunEnd => ({ status: found?.status ?? 'COMPLETED', tasks: found?.tasks, time: new Date() })),
    );
    const fromRest = missed.pipe(
      take(1),
      switchMap(() => host.watch(runId)),
      filter(({ final }) => final),
      map(({ status }): RunEnd => ({ status, tasks: undefined, time: new Date() })),
      catchError((error: unknown) => {
        if (!isHatchetError(error)) throw error;
        // The engine answers again, so it will tell.
        if (trouble === undefined) return EMPTY;
        throw error.retryable
          ? new StreamInterruptedError(
              `${operation}: neither the engine nor the server says how run ${runId} goes on (${error.message})`,
              { seen: seen() },
              { operation, runId, cause: error },
            )
          : error;
      }),
    );
    return merge(fromRest, fromEngine).pipe(take(1));
  });
}
