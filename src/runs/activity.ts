import {
  asyncScheduler,
  catchError,
  defer,
  EMPTY,
  expand,
  map,
  type Observable,
  switchMap,
  throwError,
  toArray,
} from 'rxjs';
import { ConfigError, isHatchetError } from '../error/errors.ts';
import {
  branchDurableTask,
  type BranchRequest,
  restoreTask as restoreTaskEndpoint,
  runTimings,
  taskEvents,
  taskLogs,
  taskMetrics,
  taskRun,
} from '../http/endpoints.ts';
import type { V1BranchDurableTaskResponse, V1LogLine, V1TaskRunMetric, V1TaskTiming } from '../model/activity.ts';
import { applyFilter, checkKeys, checkRunId, checkTime, checkWhole, type RunFilter } from '../model/filter.ts';
import type { V1TaskEvent } from '../model/run.ts';
import type { RunsContext } from './context.ts';
import { withWorkflowIds } from './list.ts';
import { whenVisible } from './when-visible.ts';

/** Which log lines of a task. */
export interface LogsFilter {
  /** Lines at most. Default 1,000. */
  readonly limit?: number | undefined;
  readonly since?: Date | undefined;
  readonly until?: Date | undefined;
  /** Lines that contain this text. */
  readonly search?: string | undefined;
  readonly levels?: readonly ('DEBUG' | 'INFO' | 'WARN' | 'ERROR')[] | undefined;
  /** Default: oldest first. */
  readonly order?: 'ASC' | 'DESC' | undefined;
  /** Of this attempt only; counts from 1. */
  readonly attempt?: number | undefined;
}

/** What counts of runs can be narrowed to. */
export type MetricsFilter = Pick<
  RunFilter,
  | 'since'
  | 'until'
  | 'workflowIds'
  | 'workflowNames'
  | 'parentTaskExternalId'
  | 'triggeringEventExternalId'
  | 'additionalMetadata'
>;

const METRICS_FILTERS: readonly (keyof MetricsFilter)[] = [
  'since',
  'until',
  'workflowIds',
  'workflowNames',
  'parentTaskExternalId',
  'triggeringEventExternalId',
  'additionalMetadata',
];

const EVENTS_PER_REQUEST = 1_000;
const MAX_DEPTH = 10;

/** See `RunsClient.getTaskEvents`. */
export function getTaskEvents(context: RunsContext, taskRunId: string): Observable<V1TaskEvent[]> {
  const operation = 'runs.getTaskEvents';
  return defer(() => {
    checkRunId(operation, taskRunId);
    const page = (offset: number) =>
      context
        .exchange(taskEvents(operation, taskRunId, { limit: EVENTS_PER_REQUEST, offset }))
        .pipe(map(({ rows, rejected }) => ({ rows, next: offset + rows.length + rejected.length })));
    const first = whenVisible(context, operation, taskRunId, page(0));
    return first.pipe(
      // [hatchet] The pagination of this answer is empty: a page that is not full is the last.
      expand(({ next }) => (next % EVENTS_PER_REQUEST === 0 && next > 0 ? page(next) : EMPTY)),
      toArray(),
      map((pages) => pages.flatMap(({ rows }) => rows)),
    );
  });
}

/** See `RunsClient.getTaskLogs`. */
export function getTaskLogs(context: RunsContext, taskRunId: string, filter: LogsFilter = {}): Observable<V1LogLine[]> {
  const operation = 'runs.getTaskLogs';
  return defer(() => {
    checkRunId(operation, taskRunId);
    checkKeys(operation, filter, ['limit', 'since', 'until', 'search', 'levels', 'order', 'attempt']);
    checkWhole(operation, 'limit', filter.limit, 1);
    checkWhole(operation, 'attempt', filter.attempt, 1);
    checkTime(operation, 'since', filter.since);
    checkTime(operation, 'until', filter.until);
    const endpoint = taskLogs(operation, taskRunId, {
      limit: filter.limit ?? 1_000,
      since: filter.since?.toISOString(),
      until: filter.until?.toISOString(),
      search: filter.search,
      levels: filter.levels,
      order_by_direction: filter.order,
      attempt: filter.attempt,
    });
    return whenVisible(context, operation, taskRunId, context.exchange(endpoint)).pipe(map(({ rows }) => [...rows]));
  });
}

/** See `RunsClient.getTimings`. */
export function getTimings(
  context: RunsContext,
  runId: string,
  { depth = 0 }: { readonly depth?: number | undefined } = {},
): Observable<V1TaskTiming[]> {
  const operation = 'runs.getTimings';
  return defer(() => {
    checkRunId(operation, runId);
    checkWhole(operation, 'depth', depth, 0);
    if (depth > MAX_DEPTH)
      throw new ConfigError(`${operation}: depth is ${depth}, more than ${MAX_DEPTH}`, { operation });
    const timings = context.exchange(runTimings(operation, runId, depth));
    return whenVisible(context, operation, runId, timings).pipe(map(({ rows }) => [...rows]));
  });
}

/** See `RunsClient.getMetrics`. */
export function getMetrics(context: RunsContext, filter: MetricsFilter = {}): Observable<V1TaskRunMetric[]> {
  const operation = 'runs.getMetrics';
  return defer(() => {
    checkKeys(operation, filter, METRICS_FILTERS);
    const applied = applyFilter(operation, filter, asyncScheduler.now());
    if (Object.keys(applied.additionalMetadata ?? {}).length > 1) {
      // [hatchet] Metrics know OR only; counting other people's runs too would go unnoticed.
      throw new ConfigError(`${operation}: the server counts by one metadata pair at a time`, { operation });
    }
    return withWorkflowIds(context, operation, applied).pipe(
      switchMap((resolved) => context.exchange(taskMetrics(operation, resolved))),
    );
  });
}

/** See `RunsClient.restoreTask`. */
export function restoreTask(context: RunsContext, taskRunId: string): Observable<{ readonly requeued: boolean }> {
  const operation = 'runs.restoreTask';
  return defer(() => {
    checkRunId(operation, taskRunId);
    return context.exchange(restoreTaskEndpoint(operation, taskRunId));
  });
}

/** See `RunsClient.branchDurableTask`. */
export function branchTask(context: RunsContext, request: BranchRequest): Observable<V1BranchDurableTaskResponse> {
  const operation = 'runs.branchDurableTask';
  return defer(() => {
    checkRunId(operation, request.taskExternalId);
    checkWhole(operation, 'nodeId', request.nodeId, 0);
    checkWhole(operation, 'branchId', request.branchId, 0);
    const task = taskRun(operation, request.taskExternalId);
    return context.exchange(branchDurableTask(operation, request)).pipe(
      // [hatchet] A task that does not exist is answered 500.
      catchError((error: unknown) => {
        const rethrown = throwError(() => error);
        if (!isHatchetError(error) || error.status !== 500) return rethrown;
        return context.exchange(task).pipe(switchMap(() => rethrown));
      }),
    );
  });
}
