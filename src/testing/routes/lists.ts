import type { Exchange, Handler } from '../exchange.ts';
import { internalError, ok } from '../exchange.ts';
import { allRuns, pageOfRuns, pageOfTasks, readMetadata, readStatuses } from '../filters.ts';
import type { RunFilter } from '../filters.ts';
import { required } from '../query.ts';
import { listStatus, runRow, taskRow } from '../shapes.ts';
import { STATUSES, isEnded } from '../store.ts';

const MAX_INT32 = 2 ** 31 - 1;

const filterOf = ({ query }: Exchange): RunFilter => {
  const workflowIds = query.uuids('workflow_ids');
  return {
    sinceUs: query.micros('since'),
    sinceInclusive: true,
    untilUs: query.micros('until'),
    statuses: readStatuses(query.list('statuses'), query.text('running_filter')),
    workflowIds: workflowIds === undefined ? undefined : new Set(workflowIds),
    metadata: readMetadata(query.list('additional_metadata'), false),
    parentTaskId: undefined,
    eventId: undefined,
    idempotencyKeys: false,
  };
};

const lineageOf = ({ query }: Exchange): Pick<RunFilter, 'parentTaskId' | 'eventId'> => ({
  parentTaskId: query.uuid('parent_task_external_id'),
  eventId: query.uuid('triggering_event_external_id'),
});

/** `GET {T}/workflow-runs` */
export const listRuns: Handler = (exchange, { store, tenantId, executor }) => {
  const { query } = exchange;
  const onlyTasks = required('only_tasks', query.flag('only_tasks'));
  const filter = {
    ...filterOf(exchange),
    ...lineageOf(exchange),
    // [hatchet] only AND in capitals, and only on this list, joins the pairs
    metadata: readMetadata(query.list('additional_metadata'), query.text('additional_metadata_operator') === 'AND'),
    idempotencyKeys: query.list('idempotency_keys').length > 0,
  };
  const workerId = query.uuid('worker_id');
  const payloads = query.flag('include_payloads') ?? false;
  const limit = query.integer('limit') ?? 50;
  const offset = query.integer('offset') ?? 0;
  // [hatchet] limits the database cannot take are a 500, not a 400
  if (limit <= 0 || limit > MAX_INT32 || offset < 0) return internalError();
  const { rows, count } = onlyTasks
    ? taskRows(
        pageOfTasks(
          store.tasks,
          // [hatchet] among tasks the parent is not looked at
          {
            ...filter,
            parentTaskId: undefined,
            onWorker: workerId === undefined ? undefined : workerId === executor.workerId,
          },
          limit,
          offset,
        ),
        tenantId,
        payloads,
      )
    : // [hatchet] among runs the worker is not looked at
      runRows(pageOfRuns(store.runs, filter, limit, offset), tenantId, payloads);
  const current = Math.floor(offset / limit) + 1;
  return ok({
    // [hatchet] there is always a next page
    pagination: { current_page: current, next_page: current + 1, num_pages: Math.ceil(count / limit) },
    rows,
  });
};

const runRows = (page: ReturnType<typeof pageOfRuns>, tenantId: string, payloads: boolean) => ({
  count: page.count,
  rows: page.rows.map((run) => runRow(run, tenantId, payloads)),
});

const taskRows = (page: ReturnType<typeof pageOfTasks>, tenantId: string, payloads: boolean) => ({
  count: page.count,
  rows: page.rows.map((task) => taskRow(task, tenantId, payloads)),
});

/** `GET {T}/workflow-runs/external-ids` */
export const listExternalIds: Handler = (exchange, { store }) => {
  // [hatchet] here `since` is exclusive, and the order is not one of time
  const runs = allRuns(store.runs, { ...filterOf(exchange), sinceInclusive: false });
  // [hatchet] none is null, not an empty list
  if (runs.length === 0) return ok(null);
  const ids = runs.map((run) => run.externalId);
  return ok([...ids.filter((_, index) => index % 2 === 1), ...ids.filter((_, index) => index % 2 === 0)]);
};

/** `GET {T}/workflow-runs/display-names` */
export const listDisplayNames: Handler = ({ query }, { store }) => {
  const ids = required('external_ids', query.uuids('external_ids'));
  const rows = store.runs
    .filter((run) => ids.includes(run.externalId))
    .map((run) => ({
      displayName: run.displayName,
      metadata: { createdAt: run.createdAt, id: run.externalId, updatedAt: run.createdAt },
    }));
  return ok({ pagination: { current_page: 1, num_pages: 1 }, rows });
};

/** `GET {T}/task-metrics` */
export const getTaskMetrics: Handler = (exchange, { store }) => {
  const counts = new Map(STATUSES.map((status) => [status, 0]));
  const filter = { ...filterOf(exchange), ...lineageOf(exchange), statuses: undefined };
  for (const run of allRuns(store.runs, filter)) {
    const status = listStatus(run);
    counts.set(status, (counts.get(status) ?? 0) + 1);
  }
  return ok(
    STATUSES.map((status) => ({
      count: counts.get(status) ?? 0,
      runningDetailCount: status === 'RUNNING' ? { evicted: 0, onWorker: counts.get(status) ?? 0 } : undefined,
      status,
    })),
  );
};

const MINUTE_US = 60_000_000;

/** `GET {T}/task-point-metrics` */
export const getTaskPointMetrics: Handler = ({ query }, { store, clock }) => {
  const after = query.micros('createdAfter') ?? clock.peek() - 24 * 60 * MINUTE_US;
  const before = query.micros('finishedBefore') ?? clock.peek();
  const minutes = new Map<number, { FAILED: number; SUCCEEDED: number; time: string }>();
  for (const task of store.tasks) {
    const { status, finishedUs } = task.attempt;
    if (!isEnded(status) || status === 'CANCELLED' || finishedUs < after || finishedUs > before) continue;
    const minute = Math.floor(finishedUs / MINUTE_US);
    const point = minutes.get(minute) ?? {
      FAILED: 0,
      SUCCEEDED: 0,
      time: `${new Date(minute * 60_000).toISOString().slice(0, 19)}Z`,
    };
    if (status === 'FAILED') point.FAILED += 1;
    else point.SUCCEEDED += 1;
    minutes.set(minute, point);
  }
  return ok({ results: [...minutes].toSorted(([a], [b]) => a - b).map(([, point]) => point) });
};
