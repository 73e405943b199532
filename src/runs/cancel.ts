import { catchError, defer, from, map, mergeMap, type Observable, of, switchMap, throwError, toArray } from 'rxjs';
import { type HatchetError, isHatchetError, type RunFailure, TimeoutError } from '../error/errors.ts';
import { cancelRuns, runIds, runStatus, taskRun } from '../http/endpoints.ts';
import { checkRunId } from '../model/filter.ts';
import { isTerminal, type V1TaskStatus } from '../model/status.ts';
import { allFailed, bulkError, type BulkOutcome, NOTHING_DONE } from './bulk-outcome.ts';
import type { RunsContext } from './context.ts';
import { type Patience, type Progress, triedForMs, untilItTakesEffect } from './take-effect.ts';
import { whenVisible } from './when-visible.ts';

/** Cancelling again does no harm. [hatchet] 150 running runs stop within 0.3 s on an idle server. */
const PATIENCE: Patience = { sends: 12, stallMs: 1_500 };

/** Up to this many runs are looked at one by one; more are held against the list of all runs that still live. */
const ONE_BY_ONE = 20;

/** How many single looks are under way at once. */
const LOOKS_AT_ONCE = 8;

/** Where cancelled runs can be found again. */
export interface CancelWindow {
  /** All the runs were created at or after this time. Default: any time. */
  readonly since?: Date | undefined;
  /** Whether to look at the effect, and to send again. */
  readonly verify: boolean;
}

/** See `RunsClient.cancel`. */
export function cancelRun(context: RunsContext, runId: string): Observable<string[]> {
  const operation = 'runs.cancel';
  return defer(() => {
    checkRunId(operation, runId);
    return cancelAll(context, operation, [runId], { verify: true });
  }).pipe(map((outcome) => idsOrThrow(operation, outcome)));
}

/** The runs that are no longer live, or the error that says which still are. */
export function idsOrThrow(operation: string, outcome: BulkOutcome): string[] {
  const error = bulkError(operation, outcome);
  if (error !== undefined) throw error;
  return [...outcome.affected, ...outcome.finished];
}

/**
 * Cancels runs and sees to it that they stop.
 *
 * [hatchet] The server's answer is an echo, and a cancel that arrives before the run is stored is lost: so runs of moments
 * ago are waited for, the effect is looked at, and what still lives is cancelled again.
 *
 * Emits: the outcome, once; errors of single runs are in it.
 */
export function cancelAll(
  context: RunsContext,
  operation: string,
  ids: readonly string[],
  { since = new Date(0), verify }: CancelWindow,
): Observable<BulkOutcome> {
  const send = (pending: readonly string[]) => context.exchange(cancelRuns(operation, pending));
  if (!verify) {
    return send(ids).pipe(
      map((): BulkOutcome => ({ ...NOTHING_DONE, affected: ids })),
      catchError((error: unknown) => failedOutcome(ids, error)),
    );
  }
  const look = (progress: Progress<BulkOutcome>) =>
    ids.length <= ONE_BY_ONE
      ? lookOneByOne(context, operation, progress)
      : lookAtList(context, operation, since, progress);
  return readableOnes(context, operation, ids).pipe(
    switchMap(({ readable, failures }) =>
      untilItTakesEffect(
        context,
        { operation, patience: PATIENCE, send, look },
        { pending: readable, result: { ...NOTHING_DONE, failures } },
      ).pipe(
        map(({ pending, result }) => ({
          ...result,
          failures: [...result.failures, ...pending.map((runId) => stillLive(operation, runId))],
        })),
        catchError((error: unknown) => failedOutcome(readable, error)),
      ),
    ),
  );
}

/** Waits until runs that this client triggered moments ago are readable; others are taken as they are. */
function readableOnes(
  context: RunsContext,
  operation: string,
  ids: readonly string[],
): Observable<{ readonly readable: readonly string[]; readonly failures: readonly RunFailure[] }> {
  const fresh = ids.filter((id) => context.memory.freshWorkflowOf(id) !== undefined);
  return from(fresh).pipe(
    mergeMap(
      (runId) =>
        whenVisible(context, operation, runId, context.exchange(runStatus(operation, runId))).pipe(
          map(() => []),
          // A look that failed for now is no reason not to cancel: the looks that follow tell.
          catchError((error: unknown) =>
            isHatchetError(error) && error.retryable ? of([]) : failureOf(runId, error).pipe(map((one) => [one])),
          ),
        ),
      LOOKS_AT_ONCE,
    ),
    toArray(),
    map((found) => {
      const failures = found.flat();
      const failed = new Set(failures.map(({ runId }) => runId));
      return { readable: ids.filter((id) => !failed.has(id)), failures };
    }),
  );
}

function lookOneByOne(
  context: RunsContext,
  operation: string,
  { pending, result }: Progress<BulkOutcome>,
): Observable<Progress<BulkOutcome>> {
  return from(pending).pipe(
    mergeMap(
      (runId) => statusOfRunOrTask(context, operation, runId).pipe(map((seen) => ({ runId, seen }))),
      LOOKS_AT_ONCE,
    ),
    toArray(),
    map((looks) => {
      const idsWhere = (test: (seen: V1TaskStatus | HatchetError) => boolean) =>
        looks.filter(({ seen }) => test(seen)).map(({ runId }) => runId);
      return {
        pending: idsWhere((seen) => (typeof seen === 'string' ? !isTerminal(seen) : seen.retryable)),
        result: {
          affected: [...result.affected, ...idsWhere((seen) => seen === 'CANCELLED')],
          finished: [...result.finished, ...idsWhere((seen) => seen === 'COMPLETED' || seen === 'FAILED')],
          failures: [
            ...result.failures,
            ...looks.flatMap(({ runId, seen }) =>
              typeof seen === 'string' || seen.retryable ? [] : [{ runId, error: seen }],
            ),
          ],
        },
      };
    }),
  );
}

/** [hatchet] An id may be a run's or that of a DAG's step, and does not say which. */
function statusOfRunOrTask(
  context: RunsContext,
  operation: string,
  id: string,
): Observable<V1TaskStatus | HatchetError> {
  return context.exchange(runStatus(operation, id)).pipe(
    catchError((error: unknown) => {
      if (!isHatchetError(error) || error._tag !== 'RunNotFoundError') return throwError(() => error);
      return context.exchange(taskRun(operation, id)).pipe(map(({ status }) => status));
    }),
    catchError((error: unknown) => (isHatchetError(error) ? of(error) : throwError(() => error))),
  );
}

/** One request for the ids of all runs that still live, and one for those that were cancelled. */
function lookAtList(
  context: RunsContext,
  operation: string,
  since: Date,
  { pending, result }: Progress<BulkOutcome>,
): Observable<Progress<BulkOutcome>> {
  const idsWith = (...statuses: V1TaskStatus[]) =>
    context.exchange(runIds(operation, { since, statuses })).pipe(map((ids) => new Set(ids)));
  return idsWith('QUEUED', 'RUNNING').pipe(
    switchMap((live) => {
      const stopped = pending.filter((id) => !live.has(id));
      const rest = pending.filter((id) => live.has(id));
      if (stopped.length === 0) return of({ pending: rest, result });
      // Without a window, a list of cancelled runs could be a tenant's whole history; and an id may be nobody's at all.
      if (since.getTime() === 0) {
        return lookOneByOne(context, operation, { pending: stopped, result }).pipe(
          map((next) => ({ ...next, pending: [...rest, ...next.pending] })),
        );
      }
      return idsWith('CANCELLED').pipe(
        map((cancelled) => ({
          pending: rest,
          result: {
            ...result,
            affected: [...result.affected, ...stopped.filter((id) => cancelled.has(id))],
            finished: [...result.finished, ...stopped.filter((id) => !cancelled.has(id))],
          },
        })),
      );
    }),
  );
}

function stillLive(operation: string, runId: string): RunFailure {
  const waitedMs = triedForMs(PATIENCE);
  const message = `${operation}: run ${runId} still lives ${waitedMs} ms after its first cancel`;
  return { runId, error: new TimeoutError(message, { waitedMs }, { operation, runId }) };
}

function failedOutcome(ids: readonly string[], error: unknown): Observable<BulkOutcome> {
  return isHatchetError(error) ? of(allFailed(ids, error)) : throwError(() => error);
}

function failureOf(runId: string, error: unknown): Observable<RunFailure> {
  return isHatchetError(error) ? of({ runId, error }) : throwError(() => error);
}
