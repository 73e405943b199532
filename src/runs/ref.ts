import {
  asyncScheduler,
  defer,
  distinctUntilChanged,
  filter,
  map,
  type Observable,
  ReplaySubject,
  share,
  take,
  tap,
} from 'rxjs';
import { DecodeError, TimeoutError } from '../error/errors.ts';
import { type Decoder, problemOf } from '../model/decoder.ts';
import { checkRunId } from '../model/filter.ts';
import type { JsonObject } from '../model/json.ts';
import type { RunEvent } from '../model/event.ts';
import type { V1WorkflowRunDetails } from '../model/run.ts';
import type { V1TaskStatus } from '../model/status.ts';
import { deadline } from '../operators/deadline.ts';
import { cancelRun } from './cancel.ts';
import type { RunsContext } from './context.ts';
import { getDetails, getResult, getStatus } from './reads.ts';
import { replayRun } from './replay.ts';
import { subscribeToStream } from './stream.ts';
import { outcomeOf, type RunState, watchUntilEnded } from './wait.ts';

/**
 * One run, to watch and steer. Made without a request; not thenable, so it can be returned from an async function.
 */
export interface WorkflowRunRef<O> {
  readonly id: string;
  /**
   * The run's status as it changes, until it has ended for good: `FAILED` is emitted only once no retry follows.
   *
   * Emits: the current status, then each change; the last value is `COMPLETED`, `FAILED` or `CANCELLED`. Completes: after
   * it. Errors: `RunNotFoundError` | `WorkflowNotFoundError` | `AuthenticationError` | `DecodeError`, `TimeoutError` after
   * `waitTimeoutMs`, a connection or server error that lasts for a minute. Requests: one small look at a time, from every
   * 50 ms down to every `pollIntervalMs`. Shared: all subscribers of `status$` and `result$` of one ref cause the same
   * looks; a late one gets the latest status at once. The last unsubscription aborts the look and clears the timer.
   */
  readonly status$: Observable<V1TaskStatus>;
  /**
   * The run's output, once it has ended for good. A DAG's is an object with each step's output under the step's name.
   *
   * Emits: once. Completes: then. Errors: `RunFailedError` | `RunCancelledError`, `DecodeError` when the output is not what
   * the workflow's codec says, and all that `status$` errors with. Shared as `status$`. Subscribing again after the end
   * looks again: a replay may have revived the run.
   */
  readonly result$: Observable<O>;
  /** The run's details. Emits: once per subscription, with a request of its own. */
  readonly details$: Observable<V1WorkflowRunDetails>;
  /** The run's events, with a subscription of its own each time; see `runs.subscribeToStream`. */
  readonly events$: Observable<RunEvent>;
  /** Just the text of the run's chunks. Completes and errors as `events$`; gaps are silent, so prefer `events$` for records. */
  readonly stream$: Observable<string>;
  /** One look at the status; see `runs.getStatus`. */
  status(): Observable<V1TaskStatus>;
  /** One look at the result, checked by the workflow's codec; see `runs.getResult`. */
  result(): Observable<O>;
  /** See `runs.cancel`. */
  cancel(): Observable<string[]>;
  /** See `runs.replay`. */
  replay(): Observable<string[]>;
}

/** What a ref is made with beside its id. */
export interface RefOptions<O> {
  /** Checks the output; absent, any JSON object is fine. */
  readonly output?: Decoder<O> | undefined;
  /** Overrides the client's `waitTimeoutMs`, for this run. */
  readonly waitTimeoutMs?: number | undefined;
}

export function createRunRef<O>(context: RunsContext, runId: string, options: RefOptions<O> = {}): WorkflowRunRef<O> {
  const { guard } = context;
  const waitTimeoutMs = options.waitTimeoutMs ?? context.waitTimeoutMs;
  const events = guard(subscribeToStream(context, runId));
  let lastStatus: V1TaskStatus | undefined;

  const state$: Observable<RunState> = defer(() => {
    checkRunId('ref', runId);
    lastStatus = undefined;
    return watchUntilEnded(context, 'ref', runId);
  }).pipe(
    tap(({ status }) => {
      lastStatus = status;
    }),
    // After the end the next subscriber looks anew: a replay may have revived the run.
    share({ connector: () => new ReplaySubject<RunState>(1) }),
  );

  /** Each waiter has a deadline of its own, from its own subscription. */
  const waiting = <A>(operation: string, source: Observable<A>): Observable<A> =>
    defer(() => {
      const startedAt = asyncScheduler.now();
      return guard(source).pipe(
        deadline(waitTimeoutMs, () => timedOut(operation, runId, asyncScheduler.now() - startedAt, lastStatus)),
      );
    });

  return {
    id: runId,
    status$: waiting(
      'ref.status$',
      state$.pipe(
        map(({ status }) => status),
        distinctUntilChanged(),
      ),
    ),
    result$: waiting(
      'ref.result$',
      state$.pipe(
        map(({ ending }) => ending),
        filter((ending) => ending !== undefined),
        take(1),
        map((ending) => decodeOutput('ref.result$', runId, options.output, outcomeOf('ref.result$', runId, ending))),
      ),
    ),
    details$: guard(getDetails(context, runId)),
    events$: events,
    stream$: events.pipe(
      filter((event) => event.type === 'chunk'),
      map(({ text }) => text),
    ),
    status: () => guard(getStatus(context, runId)),
    result: () =>
      guard(getResult(context, runId)).pipe(map((output) => decodeOutput('ref.result', runId, options.output, output))),
    cancel: () => guard(cancelRun(context, runId)),
    replay: () => guard(replayRun(context, runId)),
  };
}

function timedOut(
  operation: string,
  runId: string,
  waitedMs: number,
  lastStatus: V1TaskStatus | undefined,
): TimeoutError {
  return new TimeoutError(
    `${operation}: run ${runId} has not ended within ${waitedMs} ms (last status: ${lastStatus ?? 'none seen'})`,
    { waitedMs, lastStatus },
    { operation, runId },
  );
}

function decodeOutput<O>(operation: string, runId: string, decoder: Decoder<O> | undefined, output: JsonObject): O {
  // Without a decoder O is JsonObject, by the signatures that make refs.
  if (decoder === undefined) return output as O;
  const decoded = decoder.decode(output);
  if (decoded._tag === 'Right') return decoded.right;
  const problem = problemOf(decoded.left);
  const place = problem.path === '' ? 'the output' : `"${problem.path}" of the output`;
  throw new DecodeError(
    `${operation}: ${place} of run ${runId} is not ${problem.expected} (got ${problem.got})`,
    problem,
    { operation, runId },
  );
}
