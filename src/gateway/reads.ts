import { concatMap, defer, map, mergeMap, type Observable, of, from, toArray, catchError, throwError } from 'rxjs';
import { queryOf } from '../http/endpoint.ts';
import { isRecord } from '../model/json.ts';
import { isUuid } from '../model/uuid.ts';
import { isMissing, notFound, refused } from './answers.ts';
import { carries, type Scope } from './authorize.ts';
import { type Parts, type Plan, relay } from './plan.ts';
import type { Query } from './queries.ts';
import type { Route, RunRead, TaskOperation } from './routes.ts';

/** The parameters that are passed on; others mean nothing to the server. */
const RUN_PARAMETERS: { readonly [K in RunRead]: readonly string[] } = {
  get: [],
  getStatus: [],
  getTimings: ['depth'],
  getTaskEvents: ['limit', 'offset'],
};

const TASK_PARAMETERS: { readonly [K in TaskOperation]: readonly string[] } = {
  getTaskRun: ['attempt'],
  getTaskEvents: ['limit', 'offset'],
  getTaskLogs: ['limit', 'since', 'until', 'search', 'order_by_direction', 'attempt'],
  restoreTask: [],
};

/** A read of one run. */
export function planRunRead(parts: Parts, route: Extract<Route, { kind: 'run' }>, query: Query): Plan {
  const { operation, id, path } = route;
  const { knowledge } = parts;
  const answer = relay(parts, {
    operation,
    method: 'GET',
    path: () => path,
    query: pick(query, RUN_PARAMETERS[operation]),
  });
  return {
    access: { operation, runIds: [id] },
    run(scope) {
      if (scope === undefined) return answer;
      // The details tell by themselves whose run it is.
      if (operation === 'get') return answer.pipe(map((details) => detailsWithin(details, scope)));
      const checked = knowledge.allWithin([id], scope).pipe(concatMap(() => answer));
      return operation === 'getTimings'
        ? checked.pipe(concatMap((page) => timingsWithin(parts, page, scope)))
        : checked;
    },
  };
}

/** What is asked or done about one task. */
export function planTask(parts: Parts, route: Extract<Route, { kind: 'task' }>, query: Query): Observable<Plan> {
  const { operation, id, path } = route;
  const isRead = operation !== 'restoreTask';
  const answer = relay(parts, {
    operation,
    method: isRead ? 'GET' : 'POST',
    path: () => path,
    query: pick(query, TASK_PARAMETERS[operation], ['levels']),
    body: isRead ? undefined : {},
  });
  return aboutTask(parts, id, operation, () => answer);
}

/** A plan about a task, which is as allowed as its run is. */
export function aboutTask(
  { knowledge }: Parts,
  taskRunId: string,
  operation: Plan['access']['operation'],
  answer: () => Observable<unknown>,
): Observable<Plan> {
  return knowledge.ofTask(taskRunId).pipe(
    map(({ runId, metadata }) => ({
      access: { operation, runIds: [runId], taskRunId },
      run: (scope: Scope | undefined) =>
        scope === undefined || carries(metadata, scope) ? defer(answer) : throwError(notFound),
    })),
    catchError((error: unknown) => {
      if (!isMissing(error)) return throwError(() => error);
      // Whoever may not ask is not told either that there is nothing.
      return of({ access: { operation, runIds: [taskRunId], taskRunId }, run: () => throwError(notFound) });
    }),
  );
}

/** The workflows that are registered. They are no runs, so a scope says nothing about them. */
export function planWorkflows(parts: Parts, query: Query): Plan {
  const answer = relay(parts, {
    operation: 'listWorkflows',
    method: 'GET',
    path: (tenantId) => `/api/v1/tenants/${tenantId}/workflows`,
    query: pick(query, ['name', 'limit', 'offset']),
  });
  return { access: { operation: 'listWorkflows' }, run: () => answer };
}

function detailsWithin(details: unknown, scope: Scope): unknown {
  const run = isRecord(details) ? details['run'] : undefined;
  if (!isRecord(run) || !carries(run['additionalMetadata'], scope)) throw notFound();
  return details;
}

/** How many child runs of one answer are looked up to see whether they are within the scope. */
const MAX_CHILD_RUNS = 500;

/** Leaves out the tasks of child runs that are outside of the scope. */
function timingsWithin({ knowledge }: Parts, page: unknown, scope: Scope): Observable<unknown> {
  const rows = isRecord(page) && Array.isArray(page['rows']) ? page['rows'].filter(isRecord) : [];
  const ids = [...new Set(rows.map((row) => row['workflowRunId']))].filter(isUuid);
  if (ids.length > MAX_CHILD_RUNS) {
    return throwError(() => refused(400, `more than ${MAX_CHILD_RUNS} child runs: ask with a smaller depth`));
  }
  return from(ids).pipe(
    mergeMap((id) =>
      knowledge.allWithin([id], scope).pipe(
        map(() => [id]),
        catchError((error: unknown) => (isMissing(error) ? of([]) : throwError(() => error))),
      ),
    ),
    toArray(),
    map((found) => {
      const within = new Set<unknown>(found.flat());
      return { ...(isRecord(page) ? page : {}), rows: rows.filter((row) => within.has(row['workflowRunId'])) };
    }),
  );
}

function pick(query: Query, scalars: readonly string[], lists: readonly string[] = []): string {
  return queryOf(
    Object.fromEntries([
      ...scalars.map((name) => [name, query.one(name)] as const),
      ...lists.map((name) => [name, query.many(name)] as const),
    ]),
  );
}
