import type { Endpoint } from '../../../src/http/endpoint.ts';
import {
  branchDurableTask,
  cancelRuns,
  listRuns,
  replayRuns,
  restoreTask,
  runDetails,
  runIds,
  runStatus,
  runTimings,
  taskEvents,
  taskLogs,
  taskMetrics,
  taskRun,
  trigger,
} from '../../../src/http/endpoints.ts';
import { applyFilter } from '../../../src/model/filter.ts';

const OPERATION = 'test';
const applied = applyFilter(OPERATION, {}, Date.UTC(2026, 10, 23));
const page = { until: undefined, limit: 50, offset: 0 };

/** The library's endpoints by method and path, with the ids that a path names. */
const ROUTES: readonly (readonly [string, RegExp, (id: string) => Endpoint<unknown>])[] = [
  ['GET', /^\/workflow-runs\/([^/]+)$/, (id) => runDetails(OPERATION, id)],
  ['GET', /^\/workflow-runs\/([^/]+)\/status$/, (id) => runStatus(OPERATION, id)],
  ['GET', /^\/workflow-runs\/([^/]+)\/task-timings$/, (id) => runTimings(OPERATION, id, 0)],
  ['GET', /^\/tasks\/([^/]+)$/, (id) => taskRun(OPERATION, id)],
  ['GET', /^\/tasks\/([^/]+)\/task-events$/, (id) => taskEvents(OPERATION, id, { limit: 50, offset: 0 })],
  ['GET', /^\/tasks\/([^/]+)\/logs$/, (id) => taskLogs(OPERATION, id, {})],
  ['POST', /^\/tasks\/([^/]+)\/restore$/, (id) => restoreTask(OPERATION, id)],
  ['GET', /^\/tenants\/([^/]+)\/workflow-runs$/, () => listRuns(OPERATION, applied, page)],
  ['GET', /^\/tenants\/([^/]+)\/workflow-runs\/external-ids$/, () => runIds(OPERATION, applied)],
  ['GET', /^\/tenants\/([^/]+)\/task-metrics$/, () => taskMetrics(OPERATION, applied)],
  [
    'POST',
    /^\/tenants\/([^/]+)\/workflow-runs\/trigger$/,
    () => trigger(OPERATION, { workflowName: 'w', input: {}, additionalMetadata: {} }),
  ],
  ['POST', /^\/tenants\/([^/]+)\/tasks\/cancel$/, () => cancelRuns(OPERATION, [])],
  ['POST', /^\/tenants\/([^/]+)\/tasks\/replay$/, () => replayRuns(OPERATION, [])],
  [
    'POST',
    /^\/tenants\/([^/]+)\/durable-tasks\/branch$/,
    () => branchDurableTask(OPERATION, { taskExternalId: 't', nodeId: 1, branchId: 1 }),
  ],
];

/** The endpoint for a recorded request, and the id in its path; `undefined` where the library has none. */
export function endpointOf(
  method: string,
  path: string,
): { readonly endpoint: Endpoint<unknown>; readonly id: string } | undefined {
  const rest = path.replace(/^\/api\/v1\/stable/, '');
  for (const [wanted, pattern, make] of ROUTES) {
    const id = pattern.exec(rest)?.[1];
    if (method === wanted && id !== undefined) return { endpoint: make(id), id };
  }
  return undefined;
}
