import { isUuid } from '../model/uuid.ts';
import type { GatewayOperation } from './authorize.ts';
import { refused } from './answers.ts';

/** Where a request leads. */
export type Route =
  | { readonly kind: 'run'; readonly operation: RunRead; readonly id: string; readonly path: string }
  | { readonly kind: 'task'; readonly operation: TaskOperation; readonly id: string; readonly path: string }
  | { readonly kind: 'tenant'; readonly operation: TenantOperation }
  | { readonly kind: 'stream'; readonly id: string | undefined };

export type RunRead = 'get' | 'getStatus' | 'getTimings' | 'getTaskEvents';
export type TaskOperation = 'getTaskRun' | 'getTaskEvents' | 'getTaskLogs' | 'restoreTask';
export type TenantOperation = Exclude<GatewayOperation, RunRead | TaskOperation | 'subscribeToStream'>;

const TENANT_ROUTES: Readonly<Record<string, TenantOperation>> = {
  'GET workflow-runs': 'list',
  'GET workflow-runs/external-ids': 'listIds',
  'GET workflow-runs/display-names': 'getDisplayNames',
  'GET task-metrics': 'getMetrics',
  'POST workflow-runs/trigger': 'trigger',
  'POST tasks/cancel': 'cancel',
  'POST tasks/replay': 'replay',
  'POST durable-tasks/branch': 'branchDurableTask',
};

const RUN_ROUTES: Readonly<Record<string, RunRead>> = {
  'GET ': 'get',
  'GET /status': 'getStatus',
  'GET /task-timings': 'getTimings',
  'GET /task-events': 'getTaskEvents',
};

const TASK_ROUTES: Readonly<Record<string, TaskOperation>> = {
  'GET ': 'getTaskRun',
  'GET /task-events': 'getTaskEvents',
  'GET /logs': 'getTaskLogs',
  'POST /restore': 'restoreTask',
};

const PATH = /^\/api\/v1\/stable\/(tenants|workflow-runs|tasks)\/([^/]+)(.*)$/;
const STREAM = /^\/workflow-runs(?:\/([^/]+))?\/events$/;
const WORKFLOWS = /^\/api\/v1\/tenants\/([^/]+)\/workflows$/;

/**
 * Finds the operation of a method and a path from `/api` on; `undefined` for all that the gateway does not serve. Throws a
 * refusal for a malformed id, and for a tenant that is not the gateway's.
 *
 * @param tenantId - the gateway's tenant; `default` while it is not known
 */
export function route(method: string, path: string, tenantId: string): Route | undefined {
  const workflows = WORKFLOWS.exec(path);
  if (workflows !== null) {
    if (method !== 'GET') return undefined;
    checkTenant(workflows[1] ?? '', tenantId);
    return { kind: 'tenant', operation: 'listWorkflows' };
  }
  const [, family, id = '', rest = ''] = PATH.exec(path) ?? [];
  if (family === undefined) return undefined;
  if (family === 'workflow-runs') {
    const operation = RUN_ROUTES[`${method} ${rest}`];
    if (operation === undefined) return undefined;
    return { kind: 'run', operation, id: checkedId(id, 'workflow run'), path };
  }
  if (family === 'tasks') {
    const operation = TASK_ROUTES[`${method} ${rest}`];
    return operation === undefined ? undefined : { kind: 'task', operation, id: checkedId(id, 'task'), path };
  }
  const operation = TENANT_ROUTES[`${method} ${rest.slice(1)}`];
  const stream = method === 'GET' ? STREAM.exec(rest) : null;
  if (operation === undefined && stream === null) return undefined;
  checkTenant(id, tenantId);
  if (operation !== undefined) return { kind: 'tenant', operation };
  const runId = stream?.[1];
  return { kind: 'stream', id: runId === undefined ? undefined : checkedId(runId, 'workflow run') };
}

function checkedId(id: string, what: string): string {
  // [hatchet] Malformed ids are 400, in these words.
  if (!isUuid(id)) throw refused(400, `invalid ${what} id`);
  return id.toLowerCase();
}

function checkTenant(id: string, tenantId: string): void {
  if (id === 'default' || id.toLowerCase() === tenantId || (tenantId === 'default' && isUuid(id))) return;
  throw isUuid(id) ? refused(403, 'this gateway serves another tenant') : refused(400, 'invalid tenant id');
}
