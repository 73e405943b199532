import type { Reply, Services } from './exchange.ts';
import { refuse } from './exchange.ts';
import type { Target } from './operation.ts';
import { uuidFault } from './query.ts';
import type { Run, Task } from './store.ts';

/** What the path names, or why the request goes no further. */
export type Checked =
  | { readonly refusal: Reply }
  | { readonly refusal: undefined; readonly run: Run | undefined; readonly task: Task | undefined };

const CREDENTIALS = 'Please provide valid credentials';

const nothing: Checked = { refusal: undefined, run: undefined, task: undefined };

/** Finds what the path names. [hatchet] this comes before the token is looked at. */
const find = (target: Target, { store, tenantId, otherTenantId }: Services): Checked => {
  if (target.scope === 'none') return nothing;
  const id = target.id.toLowerCase();
  if (target.scope === 'tenant') {
    // `default` is an alias of the engine's own, as a gateway has it; the server has no such thing.
    if (id === tenantId || id === 'default') return nothing;
    if (uuidFault(id) !== undefined) return { refusal: refuse(400, 'invalid tenant id') };
    if (id === otherTenantId) return { refusal: refuse(403, CREDENTIALS) };
    return { refusal: refuse(404, 'not found') };
  }
  const isRun = target.scope === 'run';
  if (uuidFault(id) !== undefined) {
    return { refusal: refuse(400, isRun ? 'invalid workflow run id' : 'invalid task id') };
  }
  const task = isRun ? undefined : store.taskById(id);
  const run = isRun ? store.runById(id) : task?.run;
  // [hatchet] details can be read a little earlier than the rest
  const isReadable = run?.visibility === 'full' || (run?.visibility === 'details' && target.operation === 'getRun');
  return isReadable ? { refusal: undefined, run, task } : { refusal: refuse(404, 'not found') };
};

/** The checks before an operation: the path, what it names, the token. */
export const check = (
  target: Target,
  authorization: string | undefined,
  token: string,
  services: Services,
): Checked => {
  // [hatchet] an unknown path or method is a 403 whose body is null
  if (target.operation === 'unknown') return { refusal: { status: 403, text: 'null\n' } };
  const found = find(target, services);
  if (found.refusal !== undefined) return found;
  // [hatchet] never a 401; "bearer" in lower case is refused; /dags/tasks wants a user's session
  if (authorization !== `Bearer ${token}` || target.operation === 'listDagTasks') {
    return { refusal: refuse(403, CREDENTIALS) };
  }
  return found;
};
