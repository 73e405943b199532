import type { RunFilter } from '../model/filter.ts';
import { isRecord } from '../model/json.ts';

/**
 * What is asked of a gateway, by the client's names. On the wire, `getResult` is `getStatus`, `get` and now and then
 * `getTaskEvents`; `create` is `trigger` and `get`; `watch` and the paged lists are `list`; `bulkCancel` is `cancel`.
 */
export type GatewayOperation =
  | 'get'
  | 'getStatus'
  | 'getTaskRun'
  | 'getTimings'
  | 'getTaskEvents'
  | 'getTaskLogs'
  | 'getMetrics'
  | 'getDisplayNames'
  | 'list'
  | 'listIds'
  | 'listWorkflows'
  | 'subscribeToStream'
  | 'trigger'
  | 'cancel'
  | 'replay'
  | 'restoreTask'
  | 'branchDurableTask';

/** What a request wants to do. */
export interface Access {
  readonly operation: GatewayOperation;
  /** The runs it names. A request about a task names the task's run. */
  readonly runIds?: readonly string[] | undefined;
  /** The task it names. */
  readonly taskRunId?: string | undefined;
  /** Which runs it selects: lists, and cancels and replays by filter. */
  readonly filter?: RunFilter | undefined;
  /** What it triggers. */
  readonly workflowName?: string | undefined;
}

/** Metadata that every run must carry. */
export type Scope = Readonly<Record<string, string>>;

/**
 * `true`: all of it. `false`: 403. `{ scope }`: only runs whose metadata carries every pair, which the gateway sees to: other
 * runs are neither listed nor found nor touched, and triggered ones get the pairs. `{ denied }`: 403 with a reason.
 */
export type Decision = boolean | { readonly scope: Scope } | { readonly denied: string };

/**
 * Decides on each request. `request` is the request as it came, for its headers and cookies; its body has been read.
 * Throwing is a 500, and nothing is done.
 */
export type Authorize = (request: Request, access: Access) => Decision | Promise<Decision>;

/** A decision that was checked. */
export type Verdict =
  | { readonly allowed: true; readonly scope: Scope | undefined }
  | { readonly allowed: false; readonly reason: string | undefined };

/** Reads a decision. Whatever is not clearly a permission is none. Throws `TypeError` for what cannot be held to. */
export function verdictOf(decision: unknown): Verdict {
  if (decision === true) return { allowed: true, scope: undefined };
  if (!isRecord(decision)) return { allowed: false, reason: undefined };
  const { scope, denied } = decision;
  if (denied !== undefined) return { allowed: false, reason: typeof denied === 'string' ? denied : undefined };
  if (!isRecord(scope)) throw new TypeError('authorize: a decision must be a boolean, { scope } or { denied }');
  const pairs = Object.entries(scope);
  // A scope without pairs would be no limit at all, which nobody means who writes "scope".
  if (pairs.length === 0) throw new TypeError('authorize: the scope is empty; to allow everything, answer true');
  for (const [key, value] of pairs) {
    // [hatchet] A pair is split at its first colon, and only texts can be filtered by.
    if (key === '' || key.includes(':') || typeof value !== 'string') {
      throw new TypeError(`authorize: the scope's "${key}" must have a name without a colon and a text as its value`);
    }
  }
  return { allowed: true, scope: Object.fromEntries(pairs.map(([key, value]) => [key, String(value)])) };
}

/** Whether metadata carries every pair of a scope. */
export function carries(metadata: unknown, scope: Scope): boolean {
  return (
    isRecord(metadata) &&
    Object.entries(scope).every(([key, value]) => Object.hasOwn(metadata, key) && metadata[key] === value)
  );
}
