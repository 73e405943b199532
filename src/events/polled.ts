import { catchError, concat, concatMap, defer, from, map, type Observable, of, throwError } from 'rxjs';
import { isHatchetError } from '../error/errors.ts';
import { runTimings } from '../http/endpoints.ts';
import type { V1TaskTiming } from '../model/activity.ts';
import type { RunEvent, TaskLifecycleEvent } from '../model/event.ts';
import type { EventHost } from './source.ts';

const NO_CHUNKS =
  'chunks cannot be had: there is no event stream at serverUrl (a Hatchet server itself has none; use a gateway, or ' +
  'grpcRunEvents() on a Node back end), so the run is polled';

/**
 * What can be told of a run without any event stream, by looking at it now and then.
 *
 * Emits: a `gap` that says that chunks cannot be had, `task` events as looks find them, `finished` with an unverified tail.
 * Completes: after it. Errors: `RunNotFoundError` and what a look cannot recover from. Requests: the looks of `status$`, and
 * one more at each change.
 */
export function polledEvents(host: EventHost, operation: string, runId: string): Observable<RunEvent> {
  return defer(() => {
    const told = new Set<string>();
    const gap: RunEvent = { type: 'gap', runId, reason: NO_CHUNKS };
    const tasks = () =>
      host.exchange(runTimings(operation, runId, 0)).pipe(
        map(({ rows }) => rows.flatMap((row) => eventsOf(runId, row)).filter((event) => isNew(told, event))),
        // The status is what counts; a look at the tasks that fails is made up for by the next one.
        catchError((error: unknown) => (isHatchetError(error) ? of([]) : throwError(() => error))),
      );
    let first = true;
    return host.watch(runId).pipe(
      concatMap(({ status, final }) => {
        // Not before the first look: a run that does not exist has no gap.
        const opening: readonly RunEvent[] = first ? [gap] : [];
        first = false;
        const end: readonly RunEvent[] = final
          ? [{ type: 'finished', runId, status, tail: 'unverified', time: new Date() }]
          : [];
        return concat(from(opening), tasks().pipe(concatMap((events) => events)), from(end));
      }),
    );
  });
}

function isNew(told: Set<string>, { taskRunId, retryCount, event }: TaskLifecycleEvent): boolean {
  const key = `${taskRunId} ${retryCount} ${event}`;
  if (told.has(key)) return false;
  told.add(key);
  return true;
}

/** What a task's row says has happened to its present attempt. */
function eventsOf(runId: string, row: V1TaskTiming): readonly TaskLifecycleEvent[] {
  const { taskExternalId: taskRunId, retryCount, status, startedAt, finishedAt } = row;
  const base = { type: 'task', runId, taskRunId, retryCount } as const;
  const started = startedAt === undefined ? [] : [{ ...base, event: 'started', time: startedAt }];
  const end = { COMPLETED: 'completed', FAILED: 'failed', CANCELLED: 'cancelled' }[status as string];
  return end === undefined
    ? started
    : [...started, { ...base, event: end, time: finishedAt ?? startedAt ?? new Date() }];
}
