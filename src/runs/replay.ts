import { catchError, concatMap, defer, from, last, map, type Observable, of, throwError } from 'rxjs';
import { isHatchetError } from '../error/errors.ts';
import { replayRuns } from '../http/endpoints.ts';
import { checkRunId } from '../model/filter.ts';
import { allFailed, bulkError, type BulkOutcome, NOTHING_DONE } from './bulk-outcome.ts';
import type { RunsContext } from './context.ts';
import { IDS_PER_CALL } from './replay-lane.ts';
import { piecesOf } from './take-effect.ts';

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
 * Replays runs and sees to it that each got a new attempt, through the client's replay lane. Without `verify` the calls
 * are sent and believed.
 *
 * Emits: the outcome, once; errors of single runs are in it.
 */
export function replayAll(
  context: RunsContext,
  operation: string,
  ids: readonly string[],
  { verify }: { readonly verify: boolean },
): Observable<BulkOutcome> {
  if (!verify) return sendOnly(context, operation, ids);
  return context.replayLane(ids).pipe(
    map((results) => ({
      ...NOTHING_DONE,
      affected: ids.filter((id) => results.get(id) === 'replayed'),
      failures: [...results].flatMap(([runId, result]) => (result === 'replayed' ? [] : [{ runId, error: result }])),
    })),
  );
}

function sendOnly(context: RunsContext, operation: string, ids: readonly string[]): Observable<BulkOutcome> {
  return from(piecesOf(ids, IDS_PER_CALL)).pipe(
    concatMap((piece) => context.exchange(replayRuns(operation, piece))),
    last(),
    map((): BulkOutcome => ({ ...NOTHING_DONE, affected: ids })),
    catchError((error: unknown) => (isHatchetError(error) ? of(allFailed(ids, error)) : throwError(() => error))),
  );
}
