import { catchError, from, map, mergeMap, type Observable, of, switchMap, throwError, toArray } from 'rxjs';
import { type HatchetError, isHatchetError, RunNotFinishedError, TimeoutError } from '../error/errors.ts';
import { replayRuns, runTimings, taskRun } from '../http/endpoints.ts';
import { type BatchLane, createBatchLane } from '../operators/batch-lane.ts';
import type { SharedContext } from './context.ts';
import { attemptsOf } from './settlement.ts';
import { type Patience, type Progress, triedForMs, untilItTakesEffect } from './take-effect.ts';
import { whenVisible } from './when-visible.ts';

/** What became of one run's replay. */
export type Replayed = 'replayed' | HatchetError;

/** Replays runs, batch after batch. */
export type ReplayLane = BatchLane<Replayed>;

/** [hatchet] Beyond 100 tasks, a call is worked on in parts, of which later ones get lost. */
export const IDS_PER_CALL = 100;

/** How many single looks are under way at once. */
const LOOKS_AT_ONCE = 8;

/** Long, because a replay that was only slow and is sent again runs the work twice. */
const PATIENCE: Patience = { sends: 4, stallMs: 6_000 };

/** The name of what a batch does, which may be on behalf of several operations. */
const OPERATION = 'runs.replay';

/** What a look at a run (or step) shows: how many attempts were made, and whether one is running. */
interface Attempts {
  readonly attempts: number;
  readonly running: boolean;
}

type Results = ReadonlyMap<string, Replayed>;

/**
 * Makes the lane through which all replays of a client go.
 *
 * [hatchet] The server works on replays after it has answered, under a lock per tenant, and drops what finds the lock taken,
 * without a sign: so there is one call at a time, the next one only when the effect of the last has shown. Attempts are read
 * before and after; what did not move is sent again. A running run is never replayed.
 */
export function createReplayLane(context: SharedContext): ReplayLane {
  return createBatchLane((ids) => replayBatch(context, ids), IDS_PER_CALL);
}

function replayBatch(context: SharedContext, ids: readonly string[]): Observable<Results> {
  return readAttempts(context, ids).pipe(
    switchMap((looks) => {
      const before = new Map<string, number>();
      const unreadable = new Map<string, HatchetError>();
      for (const [id, look] of looks) {
        if (isHatchetError(look)) unreadable.set(id, look);
        else before.set(id, look.attempts);
      }
      let lastError: HatchetError | undefined;
      const send = (pending: readonly string[]) =>
        context.exchange(replayRuns(OPERATION, pending)).pipe(
          // A call that failed may have been acted on: the look that follows tells.
          catchError((error: unknown) => {
            if (!isHatchetError(error) || !error.retryable) return throwError(() => error);
            lastError = error;
            return of([]);
          }),
        );
      const look = (progress: Progress<Results>) => lookForNewAttempts(context, before, progress);
      const start: Progress<Results> = { pending: [...before.keys()], result: unreadable };
      return untilItTakesEffect(context, { operation: OPERATION, patience: PATIENCE, send, look }, start).pipe(
        map(
          ({ pending, result }) =>
            new Map([...result, ...pending.map((id) => [id, lastError ?? notReplayed(id)] as const)]),
        ),
      );
    }),
    catchError((error: unknown) =>
      isHatchetError(error) ? of(new Map(ids.map((id) => [id, error]))) : throwError(() => error),
    ),
  );
}

function lookForNewAttempts(
  context: SharedContext,
  before: ReadonlyMap<string, number>,
  { pending, result }: Progress<Results>,
): Observable<Progress<Results>> {
  return readAttempts(context, pending).pipe(
    map((looks) => {
      const settled = new Map<string, Replayed>();
      for (const [id, look] of looks) {
        if (isHatchetError(look)) {
          if (!look.retryable) settled.set(id, look);
        } else if (look.attempts > (before.get(id) ?? 0)) {
          context.memory.replayed(id, look.attempts);
          settled.set(id, 'replayed');
        } else if (look.running) settled.set(id, stillRunning(id));
      }
      return { pending: pending.filter((id) => !settled.has(id)), result: new Map([...result, ...settled]) };
    }),
  );
}

function readAttempts(
  context: SharedContext,
  ids: readonly string[],
): Observable<ReadonlyMap<string, Attempts | HatchetError>> {
  return from(ids).pipe(
    mergeMap(
      (id) =>
        whenVisible(context, OPERATION, id, attemptsOfRunOrTask(context, id)).pipe(
          catchError((error: unknown) => (isHatchetError(error) ? of(error) : throwError(() => error))),
          map((look) => [id, look] as const),
        ),
      LOOKS_AT_ONCE,
    ),
    toArray(),
    map((looks) => new Map(looks)),
  );
}

/** [hatchet] An id may be a run's or that of a DAG's step, and does not say which. */
function attemptsOfRunOrTask(context: SharedContext, id: string): Observable<Attempts> {
  return context.exchange(runTimings(OPERATION, id, 0)).pipe(
    map(({ rows }) => rows),
    catchError((error: unknown) => {
      if (!isNotFound(error)) return throwError(() => error);
      return context.exchange(taskRun(OPERATION, id)).pipe(
        map((task) => [task]),
        // Of the two 404s, the one about the run is the one to tell.
        catchError((second: unknown) => throwError(() => (isNotFound(second) ? error : second))),
      );
    }),
    map((tasks) => ({ attempts: attemptsOf(tasks), running: tasks.some(({ status }) => status === 'RUNNING') })),
  );
}

function isNotFound(error: unknown): boolean {
  return isHatchetError(error) && error._tag === 'RunNotFoundError';
}

function stillRunning(runId: string): RunNotFinishedError {
  return new RunNotFinishedError(
    `${OPERATION}: run ${runId} is running, and a running run cannot be replayed`,
    { runStatus: 'RUNNING' },
    { operation: OPERATION, runId },
  );
}

function notReplayed(runId: string): TimeoutError {
  const waitedMs = triedForMs(PATIENCE);
  const message = `${OPERATION}: run ${runId} got no new attempt within ${waitedMs} ms`;
  return new TimeoutError(message, { waitedMs }, { operation: OPERATION, runId });
}
