import { asyncScheduler, concatMap, defer, forkJoin, map, type Observable, of, switchMap } from 'rxjs';
import { DecodeError } from '../error/errors.ts';
import { withNamespace } from '../config.ts';
import { listRuns, runIds } from '../http/endpoints.ts';
import { type AppliedFilter, applyFilter, checkWhole, type ListFilter, type RunFilter } from '../model/filter.ts';
import type { PaginationResponse, RejectedRow, RunRows } from '../model/page.ts';
import type { V1TaskSummary } from '../model/run.ts';
import { paginate } from '../operators/paginate.ts';
import type { RunsContext } from './context.ts';
import { advance, pageRequest, startOf, type SweepCursor } from './sweep-cursor.ts';
import { workflowNotFound } from './when-visible.ts';

/** One page of runs. */
export interface V1TaskSummaryList {
  /** Newest first. */
  readonly rows: readonly V1TaskSummary[];
  /** [hatchet] Tells neither the number of rows nor where they end. */
  readonly pagination: PaginationResponse;
  /** The window, the defaults and the limits that were used. */
  readonly applied: AppliedFilter & { readonly limit: number; readonly offset: number };
  /** Rows that could not be read; they are not in `rows`. */
  readonly rejected: readonly RejectedRow[];
}

/** One page of a sweep through all runs of a window. */
export interface RunPage {
  /** Counts from 0. */
  readonly index: number;
  /** Newest first; no run is in two pages. */
  readonly rows: readonly V1TaskSummary[];
  /** Rows that could not be read; they are not in `rows`. */
  readonly rejected: readonly RejectedRow[];
  /** Where the page ends: the oldest row's creation time to the microsecond, and its id. */
  readonly cursor: { readonly createdAt: string; readonly id: string } | undefined;
  /** The window and the defaults that were used. */
  readonly applied: AppliedFilter;
}

/** A filter for a sweep. */
export interface PagesFilter extends RunFilter {
  /** Rows per request. Default 200 ([hatchet] the cost of a page grows faster than its rows). */
  readonly pageSize?: number | undefined;
}

const DEFAULT_LIMIT = 50;
const DEFAULT_PAGE_SIZE = 200;

/** See `RunsClient.list`. */
export function listOnce(context: RunsContext, filter: ListFilter = {}): Observable<V1TaskSummaryList> {
  const operation = 'runs.list';
  return defer(() => {
    const applied = applyFilter(operation, filter, asyncScheduler.now(), ['limit', 'offset']);
    checkWhole(operation, 'limit', filter.limit, 1);
    checkWhole(operation, 'offset', filter.offset, 0);
    const { limit = DEFAULT_LIMIT, offset = 0 } = filter;
    return withWorkflowIds(context, operation, applied).pipe(
      switchMap((resolved) =>
        context.exchange(listRuns(operation, resolved, { until: resolved.until?.toISOString(), limit, offset })).pipe(
          map((answer) => {
            tellRejected(context, operation, answer.rejected);
            const { rows, pagination, rejected } = answer;
            return { rows, pagination, rejected, applied: { ...resolved, limit, offset } };
          }),
        ),
      ),
    );
  });
}

/** See `RunsClient.listPages`. */
export function listPages(
  context: RunsContext,
  filter: PagesFilter = {},
  operation = 'runs.listPages',
): Observable<RunPage> {
  return defer(() => {
    const applied = applyFilter(operation, filter, asyncScheduler.now(), ['pageSize']);
    checkWhole(operation, 'pageSize', filter.pageSize, 1);
    return withWorkflowIds(context, operation, applied).pipe(
      switchMap((resolved) => sweep(context, operation, resolved, filter.pageSize ?? DEFAULT_PAGE_SIZE)),
    );
  });
}

/** See `RunsClient.listWithPagination`. */
export function listAll(context: RunsContext, filter?: PagesFilter): Observable<V1TaskSummary> {
  return listPages(context, filter, 'runs.listWithPagination').pipe(concatMap(({ rows }) => rows));
}

/** See `RunsClient.listIds`. */
export function listIds(context: RunsContext, filter: RunFilter = {}, operation = 'runs.listIds'): Observable<string> {
  return defer(() => {
    const applied = applyFilter(operation, filter, asyncScheduler.now());
    return withWorkflowIds(context, operation, applied).pipe(
      switchMap((resolved) => idsOf(context, operation, resolved)),
      concatMap((ids) => ids),
    );
  });
}

/** The ids that a filter selects, in pieces as they arrive. */
export function idsOf(context: RunsContext, operation: string, applied: AppliedFilter): Observable<readonly string[]> {
  if (fitsListOfIds(applied)) return context.exchange(runIds(operation, applied));
  return sweep(context, operation, { ...applied, includePayloads: false }, DEFAULT_PAGE_SIZE).pipe(
    map(({ rows }) => rows.map(({ metadata }) => metadata.id)),
  );
}

/** Replaces `workflowNames` by ids. Errors: `WorkflowNotFoundError`. Requests: one per name. */
export function withWorkflowIds(
  context: RunsContext,
  operation: string,
  applied: AppliedFilter,
): Observable<AppliedFilter> {
  const { workflowNames, workflowIds = [] } = applied;
  if (workflowNames === undefined) return of(applied);
  const lookUps = workflowNames.map((plain) => {
    const name = withNamespace(context.namespace, plain);
    return context.knownWorkflows.idOf(operation, name).pipe(
      map((id) => {
        // [hatchet] A workflow id that does not exist would select nothing, and a missing one everything.
        if (id === undefined) throw workflowNotFound(operation, name);
        return id;
      }),
    );
  });
  return forkJoin(lookUps).pipe(map((ids) => ({ ...applied, workflowIds: [...workflowIds, ...ids] })));
}

/** [hatchet] The list of ids knows fewer filters than the list of runs, and takes several metadata pairs as OR. */
function fitsListOfIds(filter: AppliedFilter): boolean {
  const pairs = Object.keys(filter.additionalMetadata ?? {}).length;
  return (
    !filter.onlyTasks &&
    filter.workerId === undefined &&
    filter.parentTaskExternalId === undefined &&
    filter.triggeringEventExternalId === undefined &&
    filter.idempotencyKeys === undefined &&
    (pairs < 2 || filter.matchMetadata === 'any')
  );
}

/** All runs of a window, each exactly once. */
function sweep(context: RunsContext, operation: string, applied: AppliedFilter, pageSize: number): Observable<RunPage> {
  const fetch = (cursor: SweepCursor) =>
    context.exchange(listRuns(operation, applied, pageRequest(cursor, pageSize))).pipe(
      map((answer) => {
        tellRejected(context, operation, answer.rejected);
        const { taken, next } = advance(cursor, answer);
        return { page: pageOf(operation, cursor, answer, taken, applied), next };
      }),
    );
  return paginate(fetch, startOf(applied.until)).pipe(concatMap((page) => (page === undefined ? [] : [page])));
}

function pageOf(
  operation: string,
  { index }: SweepCursor,
  answer: RunRows,
  taken: readonly V1TaskSummary[],
  applied: AppliedFilter,
): RunPage | undefined {
  if (answer.keys.length === 0 && answer.rejected.length > 0) {
    // Without a single key there is no way on, and to stop quietly would lose the rest.
    const [{ reason } = { reason: '' }] = answer.rejected;
    throw new DecodeError(
      `${operation}: no row of a page can be read (${reason})`,
      { path: 'rows', expected: 'rows with metadata', got: reason },
      { operation },
    );
  }
  if (taken.length === 0 && answer.rejected.length === 0 && index > 0) return undefined;
  return { index, rows: taken, rejected: answer.rejected, cursor: answer.keys.at(-1), applied };
}

function tellRejected(context: RunsContext, operation: string, rejected: readonly RejectedRow[]): void {
  if (rejected.length > 0) {
    context.diagnose?.({ type: 'rejected', operation, reasons: rejected.map(({ reason }) => reason) });
  }
}
