import type { Handler } from '../exchange.ts';
import { internalError, ok, refuse, refuseOperation } from '../exchange.ts';
import type { Store, Task } from '../store.ts';
import { eventRow, logRow, runDetails, runEvents, taskGet, timingRow } from '../shapes.ts';

const notFound = () => refuse(404, 'not found');

/** `GET /workflow-runs/{run}` */
export const getRun: Handler = ({ run }, { tenantId, executor }) =>
  run === undefined ? notFound() : ok(runDetails(run, tenantId, executor.workerId));

/** `GET /workflow-runs/{run}/status` */
export const getRunStatus: Handler = ({ run }) => (run === undefined ? notFound() : ok(run.reading.status));

/** `GET /workflow-runs/{run}/task-events` */
export const listRunTaskEvents: Handler = ({ run, query }, { executor }) => {
  query.integer('limit');
  query.integer('offset');
  // [hatchet] limit and offset must be numbers, and are not looked at
  return run === undefined ? notFound() : ok({ pagination: {}, rows: runEvents(run, executor.workerId) });
};

const timings = (store: Store, tasks: readonly Task[], depth: number, most: number, tenantId: string): unknown[] =>
  tasks.flatMap((task) => [
    timingRow(task, depth, tenantId),
    ...(depth < most
      ? store
          .childrenOf(task.externalId)
          .filter((child) => child.visibility === 'full')
          .flatMap((child) => timings(store, child.tasks, depth + 1, most, tenantId))
      : []),
  ]);

/** `GET /workflow-runs/{run}/task-timings` */
export const getTaskTimings: Handler = ({ run, query }, { store, tenantId }) => {
  const depth = query.integer('depth') ?? 0;
  // [hatchet] the text is the same below 0
  if (depth > 10 || depth < 0) return refuseOperation('depth must be less than or equal to 10');
  return run === undefined ? notFound() : ok({ pagination: {}, rows: timings(store, run.tasks, 0, depth, tenantId) });
};

/** `GET /tasks/{task}` */
export const getTask: Handler = ({ task, query }, { tenantId }) => {
  if (task === undefined) return notFound();
  const number = query.integer('attempt');
  if (number !== undefined && number <= 0) return refuse(400, 'Attempt must be greater than 0');
  const attempt = number === undefined ? task.attempt : task.attempts[number - 1];
  // [hatchet] an attempt that does not exist is a 500
  return attempt === undefined ? internalError() : ok(taskGet(task, attempt, tenantId));
};

/** `GET /tasks/{task}/task-events` */
export const listTaskEvents: Handler = ({ task, query }, { executor }) => {
  if (task === undefined) return notFound();
  const offset = query.integer('offset') ?? 0;
  // [hatchet] without a limit there are no rows
  const limit = query.integer('limit') ?? 0;
  if (limit < 0 || offset < 0) return internalError();
  const rows = task.events
    .toSorted((a, b) => b.micros - a.micros)
    .slice(offset, offset + limit)
    .map((event) => eventRow(task, event, executor.workerId, false));
  return ok({ pagination: {}, rows });
};

const LEVELS = new Set(['DEBUG', 'INFO', 'WARN', 'ERROR']);

const listLogs =
  (ofTenant: boolean): Handler =>
  ({ task, query }, { store }) => {
    const since = query.micros('since') ?? 0;
    const until = query.micros('until') ?? Number.POSITIVE_INFINITY;
    const search = query.text('search')?.toLowerCase() ?? '';
    const levels = query.list('levels');
    const attempt = query.integer('attempt');
    const limit = query.integer('limit') ?? 50;
    // [hatchet] limits and levels the database does not know are a 500
    if (limit <= 0 || levels.some((level) => !LEVELS.has(level))) return internalError();
    const tasks = ofTenant ? store.tasks : [task ?? []].flat();
    const rows = tasks
      .flatMap((owner) => owner.logs.map((line) => [owner, line] as const))
      .filter(
        ([, line]) =>
          line.micros >= since &&
          line.micros <= until &&
          line.message.toLowerCase().includes(search) &&
          (levels.length === 0 || levels.includes('INFO')) &&
          (attempt === undefined || line.retryCount === attempt - 1),
      )
      .toSorted(([, a], [, b]) => a.micros - b.micros);
    if (query.text('order_by_direction') === 'DESC') rows.reverse();
    return ok({
      // [hatchet] the pages of logs are not counted
      pagination: { current_page: 0, next_page: 0, num_pages: 0 },
      rows: rows.slice(0, limit).map(([owner, line]) => logRow(owner, line)),
    });
  };

/** `GET /tasks/{task}/logs` */
export const listTaskLogs: Handler = listLogs(false);

/** `GET {T}/logs` */
export const listTenantLogs: Handler = listLogs(true);
