import {
  asyncScheduler,
  catchError,
  defer,
  filter,
  forkJoin,
  map,
  type Observable,
  of,
  switchMap,
  takeWhile,
  throwError,
} from 'rxjs';
import { type HatchetError, isHatchetError, RunCancelledError, RunFailedError } from '../error/errors.ts';
import { runDetails, runStatus, taskEvents } from '../http/endpoints.ts';
import type { JsonObject } from '../model/json.ts';
import { isTerminal, type V1TaskStatus } from '../model/status.ts';
import { poll } from '../operators/poll.ts';
import type { SharedContext } from './context.ts';
import { assess, type Ending, type FailedTask, verdictOf } from './settlement.ts';
import { whenVisible } from './when-visible.ts';

/** What is known of a run at some moment; with `ending`, for good. */
export interface RunState {
  readonly status: V1TaskStatus;
  readonly ending?: Ending;
}

/** One look at a run. */
type Look =
  | { readonly kind: 'seen'; readonly state: RunState }
  /** It looks ended, yet it is too early to believe it. */
  | { readonly kind: 'doubtful'; readonly status: V1TaskStatus; readonly ending: Ending }
  /** The look failed in a way that the next one may not. */
  | { readonly kind: 'missed'; readonly error: HatchetError };

/** The first looks come this close to one another, in milliseconds; a look every tenth of the time waited so far. */
const FIRST_PAUSE_MS = 50;
const SHARE_OF_AGE = 0.1;

/** Pauses vary by this share either way, so that many waiters do not look in step. */
const JITTER = 0.2;

/** A run that somebody else triggered may be this young, in milliseconds. */
const STRANGER_GRACE_MS = 1_000;

/** How long looks may fail, one after the other, before a wait gives up. Milliseconds. */
const OUTAGE_PATIENCE_MS = 60_000;

/** After this long a task's history tells of a retry if one follows, in milliseconds ([hatchet] 4 to 80 ms, idle). */
const HISTORY_MS = 300;

/** An end that stays this long is believed whatever else lags, in milliseconds. */
const BELIEVED_MS = 2_000;

const EVENTS_LIMIT = 1_000;

/**
 * Watches one run until it has ended for good.
 *
 * Emits: each change of status; the last one has the `ending`. Completes: after that. Errors: what a look cannot recover
 * from; a retryable error after a minute of nothing else. Requests: one small look each time, one or two more at the end.
 */
export function watchUntilEnded(context: SharedContext, operation: string, runId: string): Observable<RunState> {
  return defer(() => {
    const startedAt = asyncScheduler.now();
    let last: V1TaskStatus | undefined;
    let doubtfulSince: number | undefined;
    let failingSince: number | undefined;

    const look = () => {
      const doubtfulMs = doubtfulSince === undefined ? 0 : asyncScheduler.now() - doubtfulSince;
      return lookAt(context, operation, runId, doubtfulMs).pipe(
        catchError((error: unknown) =>
          isHatchetError(error) && error.retryable ? of<Look>({ kind: 'missed', error }) : throwError(() => error),
        ),
      );
    };

    const pauseAfter = (seen: Look): number | undefined => {
      const now = asyncScheduler.now();
      if (seen.kind === 'missed') {
        failingSince ??= now;
        if (now - failingSince >= OUTAGE_PATIENCE_MS) throw seen.error;
      } else failingSince = undefined;
      if (seen.kind === 'doubtful') doubtfulSince ??= now;
      if (seen.kind === 'seen') {
        doubtfulSince = undefined;
        if (seen.state.ending !== undefined) return undefined;
      }
      // While an end is in doubt, look as often as at the beginning.
      const age = seen.kind === 'doubtful' ? now - (doubtfulSince ?? now) : now - startedAt;
      const nextMs = pauseOf(age, context.pollIntervalMs);
      context.diagnose?.({ type: 'poll', operation, runId, nextMs, ...told(seen) });
      return nextMs;
    };

    return poll(look, pauseAfter).pipe(
      filter((seen) => seen.kind === 'seen'),
      map(({ state }) => state),
      filter(({ status, ending }) => {
        const changed = status !== last || ending !== undefined;
        last = status;
        return changed;
      }),
      takeWhile(({ ending }) => ending === undefined, true),
    );
  });
}

/**
 * Looks once, and a second time only to tell "failed" from "failed, to be retried" or to let a lagging end settle.
 *
 * Emits: the run's state, once.
 */
export function lookOnce(context: SharedContext, operation: string, runId: string): Observable<RunState> {
  return defer(() => {
    let doubtfulSince: number | undefined;
    const look = () =>
      lookAt(context, operation, runId, doubtfulSince === undefined ? 0 : asyncScheduler.now() - doubtfulSince, 0);
    return poll(look, (seen) => {
      if (seen.kind !== 'doubtful') return undefined;
      doubtfulSince ??= asyncScheduler.now();
      return pauseOf(asyncScheduler.now() - doubtfulSince, context.pollIntervalMs);
    }).pipe(
      filter((seen) => seen.kind === 'seen'),
      map(({ state }) => state),
    );
  });
}

/** The output of a run that has ended, or the error that says how else it ended. */
export function outcomeOf(operation: string, runId: string, ending: Ending): JsonObject {
  if (ending.status === 'COMPLETED') return ending.output;
  if (ending.status === 'CANCELLED') {
    throw new RunCancelledError(`${operation}: run ${runId} was cancelled`, { operation, runId });
  }
  const [first] = ending.taskErrors;
  // [hatchet] A time-out leaves no error text.
  const reason = first === undefined ? 'no task says why' : headlineOf(first.message) || 'no error text: a time-out?';
  const where = first === undefined ? '' : ` in task ${first.taskName}`;
  throw new RunFailedError(
    `${operation}: run ${runId} failed${where}: ${reason}`,
    { taskErrors: ending.taskErrors },
    { operation, runId },
  );
}

function lookAt(
  context: SharedContext,
  operation: string,
  runId: string,
  doubtfulMs: number,
  strangerGraceMs = STRANGER_GRACE_MS,
): Observable<Look> {
  const details = context.exchange(runDetails(operation, runId)).pipe(
    switchMap((found) => {
      const assessment = assess(found, context.memory.attemptsAtLeast(runId));
      switch (assessment.state) {
        case 'live':
          return of(seen({ status: assessment.status }));
        case 'ended':
          return of(ended(assessment.ending));
        case 'settling':
          return of(doubtfulMs >= BELIEVED_MS ? ended(assessment.ending) : doubtful(assessment.ending));
        case 'failed':
          return judgeFailure(context, operation, assessment.ending, assessment.tasks, doubtfulMs);
      }
    }),
  );
  return whenVisible(
    context,
    operation,
    runId,
    context
      .exchange(runStatus(operation, runId))
      .pipe(switchMap((status) => (isTerminal(status) ? details : of(seen({ status }))))),
    strangerGraceMs,
  );
}

/** Tells a failure that stays from one that a retry will undo, by the failed tasks' histories. */
function judgeFailure(
  context: SharedContext,
  operation: string,
  ending: Ending,
  tasks: readonly FailedTask[],
  doubtfulMs: number,
): Observable<Look> {
  const spent = tasks.every(({ task, retries }) => retries !== undefined && (task.attempt ?? 1) > retries);
  // With retries left by any count, the history has nothing to say before the server has written it.
  if (!spent && doubtfulMs < HISTORY_MS) return of(doubtful(ending));
  const verdicts = tasks.map((failed) =>
    context
      .exchange(taskEvents(operation, failed.task.taskExternalId, { limit: EVENTS_LIMIT, offset: 0 }))
      .pipe(map(({ rows }) => verdictOf(failed, rows))),
  );
  return forkJoin(verdicts).pipe(
    map((all) => {
      if (all.every((verdict) => verdict === 'final')) return ended(ending);
      // A worker may forbid the retry: then FAILED stays, and no retry is announced.
      if (!all.includes('retrying') && doubtfulMs >= BELIEVED_MS) return ended(ending);
      return doubtful(ending);
    }),
  );
}

const seen = (state: RunState): Look => ({ kind: 'seen', state });
const ended = (ending: Ending): Look => seen({ status: ending.status, ending });
const doubtful = (ending: Ending): Look => ({ kind: 'doubtful', status: ending.status, ending });

function pauseOf(ageMs: number, longestMs: number): number {
  const plain = Math.min(longestMs, Math.max(FIRST_PAUSE_MS, ageMs * SHARE_OF_AGE));
  return plain * (1 - JITTER + 2 * JITTER * Math.random());
}

function told(look: Look): { readonly status?: string; readonly error?: HatchetError } {
  if (look.kind === 'missed') return { error: look.error };
  return { status: look.kind === 'seen' ? look.state.status : look.status };
}

function headlineOf(text: string): string {
  return (text.split('\n', 1)[0] ?? '').slice(0, 200);
}
