import {
  catchError,
  concatMap,
  defer,
  from,
  last,
  map,
  mergeMap,
  type Observable,
  of,
  switchMap,
  throwError,
  toArray,
} from 'rxjs';
import {
  isHatchetError,
  type HatchetError,
  RunNotFinishedError,
  type RunFailure,
  TimeoutError,
} from '../error/errors.ts';
import { replayRuns, runTimings, taskRun } from '../http/endpoints.ts';
import { checkRunId } from '../model/filter.ts';
import { bulkError, type BulkOutcome, NOTHING_DONE } from './bulk-outcome.ts';
import type { RunsContext } from './context.ts';
import { attemptsOf } from './settlement.ts';
import { EFFECT_TIMEOUT_MS, piecesOf, type Progress, untilItTakesEffect } from './take-effect.ts';
import { whenVisible } from './when-visible.ts';

/** [hatchet] Beyond 100 tasks, a call is worked on in batches, of which later ones get lost. */
const IDS_PER_CALL = 100;

/** How many single looks are under way at once. */
const LOOKS_AT_ONCE = 8;

/** What a look at a run (or step) shows: how many attempts were made, and whether one is running. */
interface Attempts {
  readonly runId: string;
  readonly attempts: number;
  readonly running: boolean;
}

/** See `RunsClient.replay`. */
export function replayRun(context: RunsContext, runId: string): Observable<string[]> {
  const operation = 'runs.replay';
  return defer(() => {
    checkRunId(operation, runId);
    return replayAll(context, operation, [runId], { verify: true });
  }).pipe(map((outcome) => replayedOrThrow(operation, outcome)));
}

/** The runs that were replayed, or the error that says which were not. */
export function replayedOrThrow(operation: string, outcome: BulkOutcome): string[] {
  const error = bulkError(operation, outcome);
  if (error !== undefined) throw error;
  return [...outcome.affected];
}

/**
 * Replays runs and sees to it that each got a new attempt.
 *
 * [hatchet] The server loses replays without a sign when asked for many, or at the same time: so calls are small and one
 * at a time, attempts are read before and after, and what did not move is sent again. A running run is never replayed.
 *
 * Emits: the outcome, once; errors of single runs are in it.
 */
export function replayAll(
  context: RunsContext,
  operation: string,
  ids: readonly string[],
  { verify }: { readonly verify: boolean },
): Observable<BulkOutcome> {
  return readAttempts(context, operation, ids).pipe(
    switchMap(({ looks, failures }) => {
      const before = new Map(looks.map(({ runId, attempts }) => [runId, attempts]));
      const start: Progress<BulkOutcome> = { pending: [...before.keys()], result: { ...NOTHING_DONE, failures } };
      let lastError: HatchetError | undefined;
      const send = (pending: readonly string[]) =>
        sendInPieces(context, operation, pending, (error) => {
          lastError = error;
        });
      const look = (progress: Progress<BulkOutcome>) => lookAtAttempts(context, operation, before, progress);
      if (!verify) {
        return send(start.pending).pipe(
          map(() => {
            if (lastError !== undefined) throw lastError;
            return { ...start.result, affected: start.pending };
          }),
        );
      }
      return untilItTakesEffect(context, { operation, send, look }, start).pipe(
        map(({ pending, result }) => ({
          ...result,
          failures: [
            ...result.failures,
            ...pending.map((runId) => ({ runId, error: lastError ?? notReplayed(operation, runId) })),
          ],
        })),
      );
    }),
    catchError((error: unknown) => {
      if (!isHatchetError(error)) return throwError(() => error);
      return of<BulkOutcome>({ ...NOTHING_DONE, failures: ids.map((runId) => ({ runId, error })) });
    }),
  );
}

/** A call that fails may have been acted on: the look that follows tells, so its error is not the end. */
function sendInPieces(
  context: RunsContext,
  operation: string,
  ids: readonly string[],
  onError: (error: HatchetError) => void,
): Observable<unknown> {
  return from(piecesOf(ids, IDS_PER_CALL)).pipe(
    concatMap((piece) =>
      context.replayLane(context.exchange(replayRuns(operation, piece))).pipe(
        catchError((error: unknown) => {
          if (!isHatchetError(error) || !error.retryable) return throwError(() => error);
          onError(error);
          return of<string[]>([]);
        }),
      ),
    ),
    last(undefined, []),
  );
}

function lookAtAttempts(
  context: RunsContext,
  operation: string,
  before: ReadonlyMap<string, number>,
  { pending, result }: Progress<BulkOutcome>,
): Observable<Progress<BulkOutcome>> {
  return readAttempts(context, operation, pending).pipe(
    map(({ looks, failures }) => {
      const moved = looks.filter(({ runId, attempts }) => attempts > (before.get(runId) ?? 0));
      for (const { runId, attempts } of moved) context.memory.replayed(runId, attempts);
      const done = new Set(moved.map(({ runId }) => runId));
      const running = looks.filter((look) => look.running && !done.has(look.runId)).map(({ runId }) => runId);
      const lasting = failures.filter(({ error }) => !error.retryable);
      const over = new Set([...done, ...running, ...lasting.map(({ runId }) => runId)]);
      return {
        pending: pending.filter((runId) => !over.has(runId)),
        result: {
          ...result,
          affected: [...result.affected, ...done],
          failures: [...result.failures, ...lasting, ...running.map((runId) => stillRunning(operation, runId))],
        },
      };
    }),
  );
}

function readAttempts(
  context: RunsContext,
  operation: string,
  ids: readonly string[],
): Observable<{ readonly looks: readonly Attempts[]; readonly failures: readonly RunFailure[] }> {
  return from(ids).pipe(
    mergeMap((runId) => {
      const look = whenVisible(context, operation, runId, attemptsOfRunOrTask(context, operation, runId));
      return look.pipe(
        catchError((error: unknown) => (isHatchetError(error) ? of({ runId, error }) : throwError(() => error))),
      );
    }, LOOKS_AT_ONCE),
    toArray(),
    map((seen) => ({
      looks: seen.flatMap((look) => ('attempts' in look ? [look] : [])),
      failures: seen.flatMap((look) => ('error' in look ? [look] : [])),
    })),
  );
}

/** [hatchet] An id may be a run's or that of a DAG's step, and does not say which. */
function attemptsOfRunOrTask(context: RunsContext, operation: string, runId: string): Observable<Attempts> {
  return context.exchange(runTimings(operation, runId, 0)).pipe(
    map(({ rows }) => rows),
    catchError((error: unknown) => {
      if (!isHatchetError(error) || error._tag !== 'RunNotFoundError') return throwError(() => error);
      return context.exchange(taskRun(operation, runId)).pipe(
        map((task) => [task]),
        // Of the two 404s, the one about the run is the one to tell.
        catchError((second: unknown) => throwError((): unknown => (isNotFound(second) ? error : second))),
      );
    }),
    map((tasks) => ({
      runId,
      attempts: attemptsOf(tasks),
      running: tasks.some(({ status }) => status === 'RUNNING'),
    })),
  );
}

function isNotFound(error: unknown): boolean {
  return isHatchetError(error) && error._tag === 'RunNotFoundError';
}

function stillRunning(operation: string, runId: string): RunFailure {
  const error: HatchetError = new RunNotFinishedError(
    `${operation}: run ${runId} is running, and a running run cannot be replayed`,
    { runStatus: 'RUNNING' },
    { operation, runId },
  );
  return { runId, error };
}

function notReplayed(operation: string, runId: string): TimeoutError {
  const message = `${operation}: run ${runId} got no new attempt within ${EFFECT_TIMEOUT_MS} ms`;
  return new TimeoutError(message, { waitedMs: EFFECT_TIMEOUT_MS }, { operation, runId });
}
