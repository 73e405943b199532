import { concatMap, defer, EMPTY, expand, filter, map, type Observable, of, reduce, throwError, toArray } from 'rxjs';
import { queryOf } from '../http/endpoint.ts';
import { isRecord } from '../model/json.ts';
import { listPages } from '../runs/list.ts';
import { refused } from './answers.ts';
import { carries, type Scope } from './authorize.ts';
import { ofTenant, type Parts, type Plan, relay } from './plan.ts';
import {
  filterOf,
  type PageSelection,
  type Query,
  readIds,
  readList,
  readMetrics,
  type Selection,
  uuids,
} from './queries.ts';

/** A page of runs. */
export function planList(parts: Parts, query: Query): Plan {
  const selection = readList(query);
  return {
    access: { operation: 'list', filter: filterOf(selection) },
    run(scope) {
      if (scope === undefined) return listOf(parts, selection, selection.metadata, selection.any);
      const merged = mergedPairs(selection, scope);
      if (merged === undefined) return of(EMPTY_PAGE);
      if (merged.left === undefined) {
        return listOf(parts, selection, merged.pairs, false).pipe(map((page) => pageWithin(page, scope)));
      }
      return pageOfAny(parts, selection, scope, merged.left);
    },
  };
}

/** The ids of all runs of a window. */
export function planIds(parts: Parts, query: Query): Plan {
  const selection = readIds(query);
  return {
    access: { operation: 'listIds', filter: filterOf(selection) },
    run(scope) {
      if (scope === undefined) {
        return relay(parts, {
          operation: 'listIds',
          method: 'GET',
          path: ofTenant('/workflow-runs/external-ids'),
          query: queryOf({
            since: selection.since,
            until: selection.until,
            statuses: selection.statuses,
            workflow_ids: selection.workflowIds,
            additional_metadata: pairsOf(selection.metadata),
            running_filter: selection.runningFilter,
          }),
        });
      }
      // [hatchet] None is null, not an empty list.
      return idsWithin(parts, selection, scope).pipe(map((ids) => (ids.length === 0 ? null : ids)));
    },
  };
}

/** How many runs have each status. */
export function planMetrics(parts: Parts, query: Query): Plan {
  const selection = readMetrics(query);
  const counts = (metadata: Selection['metadata']) =>
    relay(parts, {
      operation: 'getMetrics',
      method: 'GET',
      path: ofTenant('/task-metrics'),
      query: queryOf({
        since: selection.since,
        until: selection.until,
        workflow_ids: selection.workflowIds,
        parent_task_external_id: selection.parentTaskExternalId,
        triggering_event_external_id: selection.triggeringEventExternalId,
        additional_metadata: pairsOf(metadata),
      }),
    });
  return {
    access: { operation: 'getMetrics', filter: filterOf(selection) },
    run(scope) {
      if (scope === undefined) return counts(selection.metadata);
      const own = Object.entries(selection.metadata).every(([key, value]) => scope[key] === value);
      // [hatchet] Counts join several pairs by OR, so only a scope of one pair, alone, holds them.
      if (own && Object.keys(scope).length === 1) return counts(scope);
      return throwError(() => refused(400, 'within a scope, counts cannot be narrowed by metadata'));
    },
  };
}

/** The display names of runs. */
export function planDisplayNames(parts: Parts, query: Query): Plan {
  const ids = uuids('external_ids', query.many('external_ids'));
  if (ids.length > parts.limits.idsPerRequest) throw refused(400, `more than ${parts.limits.idsPerRequest} ids`);
  const answer = relay(parts, {
    operation: 'getDisplayNames',
    method: 'GET',
    path: ofTenant('/workflow-runs/display-names'),
    query: queryOf({ external_ids: ids }),
  });
  return {
    access: { operation: 'getDisplayNames', runIds: ids },
    run: (scope) =>
      scope === undefined ? answer : parts.knowledge.allWithin(ids, scope).pipe(concatMap(() => answer)),
  };
}

/** The ids of the runs that are selected and within the scope. Emits once. */
export function idsWithin(
  { context }: Parts,
  selection: Selection,
  scope: Scope,
  most: number = Number.POSITIVE_INFINITY,
): Observable<readonly string[]> {
  const { since, until, statuses, workflowIds, metadata, runningFilter } = selection;
  // [hatchet] Without a beginning, nothing is selected.
  if (since === undefined) return of([]);
  return defer(() => {
    const from = roundedUp(since);
    const to = until === undefined ? undefined : roundedUp(until);
    if (to !== undefined && from > to) return of([]);
    return listPages(
      context,
      {
        since: from,
        until: to,
        additionalMetadata: scope,
        includePayloads: false,
        runningFilter,
        ...(statuses.length === 0 ? {} : { statuses }),
        ...(workflowIds.length === 0 ? {} : { workflowIds }),
      },
      'gateway.listIds',
    ).pipe(
      concatMap(({ rows }) => rows),
      filter((row) => carries(row.additionalMetadata, scope) && hasAny(row.additionalMetadata, metadata)),
      map((row) => row.metadata.id),
      // Newest first, as the server's own limit takes them.
      filter((_, index) => index < most),
      toArray(),
      context.guard,
    );
  });
}

const EMPTY_PAGE = { pagination: { current_page: 1, next_page: 2, num_pages: 0 }, rows: [] };

function listOf(
  parts: Parts,
  selection: PageSelection,
  metadata: Selection['metadata'],
  any: boolean,
): Observable<unknown> {
  return relay(parts, {
    operation: 'list',
    method: 'GET',
    path: ofTenant('/workflow-runs'),
    query: queryOf({
      since: selection.since,
      until: selection.until,
      only_tasks: selection.onlyTasks,
      limit: selection.limit,
      offset: selection.offset === 0 ? undefined : selection.offset,
      statuses: selection.statuses,
      workflow_ids: selection.workflowIds,
      additional_metadata: pairsOf(metadata),
      additional_metadata_operator: any ? 'OR' : 'AND',
      worker_id: selection.workerId,
      parent_task_external_id: selection.parentTaskExternalId,
      triggering_event_external_id: selection.triggeringEventExternalId,
      include_payloads: selection.includePayloads,
      running_filter: selection.runningFilter,
      idempotency_keys: selection.idempotencyKeys,
    }),
  });
}

function pairsOf(metadata: Selection['metadata']): readonly string[] {
  return Object.entries(metadata).map(([key, value]) => `${key}:${value}`);
}

/**
 * The pairs that runs must have, all of them: the user's and the scope's. `left` are pairs of which a run must have any, which
 * the server cannot be asked for together with those. `undefined` if no run can have them.
 */
function mergedPairs(
  { metadata, any }: Selection,
  scope: Scope,
): { readonly pairs: Scope; readonly left: Scope | undefined } | undefined {
  const entries = Object.entries(metadata);
  if (any && entries.length > 1) {
    // What the scope has already makes the rest of an OR superfluous.
    return entries.some(([key, value]) => scope[key] === value)
      ? { pairs: scope, left: undefined }
      : { pairs: scope, left: metadata };
  }
  if (entries.some(([key, value]) => Object.hasOwn(scope, key) && scope[key] !== value)) return undefined;
  return { pairs: { ...metadata, ...scope }, left: undefined };
}

/** What the server was asked for; held against the scope once more, in case it understood something else. */
function pageWithin(page: unknown, scope: Scope): unknown {
  return isRecord(page)
    ? { ...page, rows: rowsOf(page).filter((row) => carries(row['additionalMetadata'], scope)) }
    : page;
}

function rowsOf(page: unknown): readonly Readonly<Record<string, unknown>>[] {
  const rows = isRecord(page) ? page['rows'] : undefined;
  return Array.isArray(rows) ? rows.filter(isRecord) : [];
}

/** Rows per request, and requests per answer, of the search below. */
const SWEEP_ROWS = 200;
const SWEEP_PAGES = 50;

/** A page of the runs in scope that have any of the pairs: the server has no word for that, so its rows are searched. */
function pageOfAny(parts: Parts, selection: PageSelection, scope: Scope, pairs: Scope): Observable<unknown> {
  const { limit, offset } = selection;
  const wanted = offset + limit;
  const look = (
    found: readonly unknown[],
    pages: number,
  ): Observable<{ found: readonly unknown[]; pages: number; more: boolean }> =>
    listOf(parts, { ...selection, limit: SWEEP_ROWS, offset: pages * SWEEP_ROWS }, scope, false).pipe(
      map((page) => {
        const rows = rowsOf(page);
        const fitting = rows.filter(
          ({ additionalMetadata }) => carries(additionalMetadata, scope) && hasAny(additionalMetadata, pairs),
        );
        return { found: [...found, ...fitting], pages: pages + 1, more: rows.length > 0 };
      }),
    );
  return look([], 0).pipe(
    expand(({ found, pages, more }) => {
      if (!more || found.length >= wanted) return EMPTY;
      if (pages < SWEEP_PAGES) return look(found, pages);
      const message =
        'too many runs to search for any of several pairs: narrow the window, or ask for one pair at a time';
      return throwError(() => refused(400, message));
    }),
    reduce((_, latest) => latest.found, [] as readonly unknown[]),
    map((found) => {
      const current = Math.floor(offset / limit) + 1;
      return {
        pagination: { current_page: current, next_page: current + 1, num_pages: Math.ceil(found.length / limit) },
        rows: found.slice(offset, wanted),
      };
    }),
  );
}

/** Whether metadata has any of the pairs. [hatchet] An OR compares numbers as text, too. */
function hasAny(metadata: unknown, pairs: Scope): boolean {
  const entries = Object.entries(pairs);
  if (entries.length === 0) return true;
  return (
    isRecord(metadata) &&
    entries.some(([key, value]) => Object.hasOwn(metadata, key) && String(metadata[key]) === value)
  );
}

/** A time as a Date, the rest below a millisecond rounded up. */
function roundedUp(time: string): Date {
  const finer = /\.\d{3}(\d*)/.exec(time)?.[1] ?? '';
  return new Date(Date.parse(time) + (/[1-9]/.test(finer) ? 1 : 0));
}
