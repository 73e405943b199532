import { catchError, concatMap, type Observable, of, tap, throwError } from 'rxjs';
import { isRecord } from '../model/json.ts';
import { forbidden, isMissing, refused } from './answers.ts';
import type { Scope } from './authorize.ts';
import { idsWithin } from './lists.ts';
import { ofTenant, type Parts, type Plan, relay } from './plan.ts';
import { filterOf, readBodyFilter, uuids } from './queries.ts';
import { aboutTask } from './reads.ts';

/** A request's body: a JSON object. */
export type Body = Readonly<Record<string, unknown>>;

/** [hatchet] So many newest runs a filter takes hold of. */
const FILTER_CAPS = { cancel: 20_000, replay: 1_000 } as const;

/** A cancel or replay, by ids or by filter. */
export function planAction(parts: Parts, operation: 'cancel' | 'replay', body: Body): Plan {
  const ids = idsOf(body, 'externalIds');
  const filter = body['filter'] ?? undefined;
  if (filter !== undefined && !isRecord(filter)) throw refused(400, 'filter must be an object');
  if (filter !== undefined && ids.length > 0) throw refused(400, 'either externalIds or filter, not both');
  if (ids.length > parts.limits.idsPerRequest) throw refused(400, `more than ${parts.limits.idsPerRequest} ids`);
  const send = (selected: Body) =>
    relay(parts, { operation, method: 'POST', path: ofTenant(`/tasks/${operation}`), body: selected }).pipe(
      // What had ended goes on: nobody must be told of the old end as if it were the new one.
      tap(() => operation === 'replay' && parts.hub.forgetEnded(ids.length === 0 ? undefined : ids)),
    );

  if (filter === undefined) {
    return {
      access: { operation, runIds: ids },
      run(scope) {
        if (scope === undefined || ids.length === 0) return send({ externalIds: ids });
        return actable(parts, ids, scope).pipe(concatMap(() => send({ externalIds: ids })));
      },
    };
  }
  const selection = readBodyFilter(filter);
  return {
    access: { operation, filter: filterOf(selection) },
    run(scope) {
      if (scope === undefined) {
        const { since, until, statuses, workflowIds, metadata } = selection;
        return send({
          filter: {
            since,
            until,
            ...(statuses.length === 0 ? {} : { statuses }),
            ...(workflowIds.length === 0 ? {} : { workflowIds }),
            additionalMetadata: Object.entries(metadata).map(([key, value]) => `${key}:${value}`),
          },
        });
      }
      // [hatchet] A filter's pairs mean OR, so it would reach beyond the scope: the list is asked instead, then the ids are sent.
      return idsWithin(parts, selection, scope, FILTER_CAPS[operation]).pipe(
        concatMap((found) => (found.length === 0 ? of({ ids: [] }) : send({ externalIds: found }))),
      );
    },
  };
}

/** A new branch of a durable task. */
export function planBranch(parts: Parts, body: Body): Observable<Plan> {
  const [taskRunId] = uuids('taskExternalId', [String(body['taskExternalId'])]);
  const { nodeId, branchId } = body;
  return aboutTask(parts, taskRunId ?? '', 'branchDurableTask', () =>
    relay(parts, {
      operation: 'branchDurableTask',
      method: 'POST',
      path: ofTenant('/durable-tasks/branch'),
      body: { taskExternalId: taskRunId, nodeId, branchId },
    }),
  );
}

/** Emits once if every id is a run's, or a task's, within the scope; otherwise nothing is done to any of them. */
function actable({ knowledge }: Parts, ids: readonly string[], scope: Scope): Observable<unknown> {
  return knowledge
    .allActable(ids, scope)
    .pipe(
      catchError((error: unknown) =>
        throwError(() => (isMissing(error) ? forbidden('not all of these runs may be acted on') : error)),
      ),
    );
}

function idsOf(body: Body, name: string): readonly string[] {
  const value = body[name] ?? [];
  if (!Array.isArray(value)) throw refused(400, `${name} must be a list`);
  return [...new Set(uuids(name, value.map(String)))];
}
