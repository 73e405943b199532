/** The operations of the REST API that the engine serves; `unknown` is every other path or method. */
export type Operation =
  | 'trigger'
  | 'listRuns'
  | 'listExternalIds'
  | 'listDisplayNames'
  | 'getRun'
  | 'getRunStatus'
  | 'listRunTaskEvents'
  | 'getTaskTimings'
  | 'getTask'
  | 'listTaskEvents'
  | 'listTaskLogs'
  | 'listTenantLogs'
  | 'getTaskMetrics'
  | 'getTaskPointMetrics'
  | 'cancel'
  | 'replay'
  | 'restoreTask'
  | 'branchDurableTask'
  | 'getDurableTaskLog'
  | 'listDagTasks'
  | 'listWorkflows'
  | 'listWorkers'
  | 'subscribeToStream'
  | 'unknown';

/** Where a request leads: the operation, and the id its path names. */
export interface Target {
  readonly operation: Operation;
  /** What `id` is: it is looked up before anything else. */
  readonly scope: 'tenant' | 'run' | 'task' | 'none';
  readonly id: string;
  /** A second id of the path. */
  readonly subId: string;
}

const tenantPaths: Readonly<Record<string, Operation>> = {
  'POST workflow-runs/trigger': 'trigger',
  'GET workflow-runs': 'listRuns',
  'GET workflow-runs/external-ids': 'listExternalIds',
  'GET workflow-runs/display-names': 'listDisplayNames',
  'GET task-metrics': 'getTaskMetrics',
  'GET task-point-metrics': 'getTaskPointMetrics',
  'GET logs': 'listTenantLogs',
  'POST tasks/cancel': 'cancel',
  'POST tasks/replay': 'replay',
  'POST durable-tasks/branch': 'branchDurableTask',
};

const runPaths: Readonly<Record<string, Operation>> = {
  'GET ': 'getRun',
  'GET status': 'getRunStatus',
  'GET task-events': 'listRunTaskEvents',
  'GET task-timings': 'getTaskTimings',
};

const taskPaths: Readonly<Record<string, Operation>> = {
  'GET ': 'getTask',
  'GET task-events': 'listTaskEvents',
  'GET logs': 'listTaskLogs',
  'POST restore': 'restoreTask',
};

const legacyTenantPaths: Readonly<Record<string, Operation>> = {
  'GET workflows': 'listWorkflows',
  'GET worker': 'listWorkers',
};

const STABLE = '/api/v1/stable/';
const LEGACY = '/api/v1/tenants/';

const UNKNOWN: Target = { operation: 'unknown', scope: 'none', id: '', subId: '' };

/** `a/b/c` as `a` and `b/c`. */
const split = (path: string): [head: string, rest: string] => {
  const slash = path.indexOf('/');
  return slash < 0 ? [path, ''] : [path.slice(0, slash), path.slice(slash + 1)];
};

const target = (
  table: Readonly<Record<string, Operation>>,
  scope: Target['scope'],
  method: string,
  path: string,
): Target => {
  const [id, rest] = split(path);
  const operation = table[`${method} ${rest}`];
  // [hatchet] a slash at the end makes another path
  return operation === undefined || id === '' || path.endsWith('/') ? UNKNOWN : { operation, scope, id, subId: '' };
};

/** Finds the operation of a method and a path (without query). */
export const route = (method: string, path: string): Target => {
  if (path.startsWith(LEGACY)) return target(legacyTenantPaths, 'tenant', method, path.slice(LEGACY.length));
  if (!path.startsWith(STABLE)) return UNKNOWN;
  const [family, rest] = split(path.slice(STABLE.length));
  if (family === 'workflow-runs') return target(runPaths, 'run', method, rest);
  if (family === 'tasks') return target(taskPaths, 'task', method, rest);
  if (family === 'dags' && rest === 'tasks' && method === 'GET') return { ...UNKNOWN, operation: 'listDagTasks' };
  if (family !== 'tenants') return UNKNOWN;
  const found = target(tenantPaths, 'tenant', method, rest);
  if (found.operation !== 'unknown') return found;
  const [tenant, path2] = split(rest);
  const [kind, subId] = split(path2);
  // The server has no such thing: run events leave it by gRPC only. Gateways have it, under these paths.
  if (kind === 'workflow-runs' && method === 'GET' && /^([^/]+\/)?events$/.test(subId)) {
    return { operation: 'subscribeToStream', scope: 'tenant', id: tenant, subId: subId.slice(0, -'events'.length) };
  }
  if (kind !== 'durable-tasks' || method !== 'GET' || subId === '' || subId.includes('/')) return UNKNOWN;
  return { operation: 'getDurableTaskLog', scope: 'tenant', id: tenant, subId };
};
