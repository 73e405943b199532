import { readBody } from './body.ts';
import { check } from './checks.ts';
import { internalError, refuse } from './exchange.ts';
import type { Handler, Reply, Services } from './exchange.ts';
import type { Operation, Target } from './operation.ts';
import { BadRequest, createQuery } from './query.ts';
import * as control from './routes/control.ts';
import { subscribeToStream } from './routes/events.ts';
import * as lists from './routes/lists.ts';
import * as runs from './routes/runs.ts';
import { trigger } from './routes/trigger.ts';
import { listWorkers, listWorkflows } from './routes/workflows.ts';

const handlers: Readonly<Record<Operation, Handler>> = {
  trigger,
  listRuns: lists.listRuns,
  listExternalIds: lists.listExternalIds,
  listDisplayNames: lists.listDisplayNames,
  getTaskMetrics: lists.getTaskMetrics,
  getTaskPointMetrics: lists.getTaskPointMetrics,
  getRun: runs.getRun,
  getRunStatus: runs.getRunStatus,
  listRunTaskEvents: runs.listRunTaskEvents,
  getTaskTimings: runs.getTaskTimings,
  getTask: runs.getTask,
  listTaskEvents: runs.listTaskEvents,
  listTaskLogs: runs.listTaskLogs,
  listTenantLogs: runs.listTenantLogs,
  cancel: control.cancel,
  replay: control.replay,
  restoreTask: control.restoreTask,
  branchDurableTask: control.branchDurableTask,
  getDurableTaskLog: control.getDurableTaskLog,
  listWorkflows,
  listWorkers,
  subscribeToStream,
  // These two never pass the checks.
  listDagTasks: internalError,
  unknown: internalError,
};

/** A request as it came in. */
export interface Incoming {
  readonly target: Target;
  readonly params: URLSearchParams;
  readonly authorization: string | undefined;
  readonly contentType: string | undefined;
  readonly body: string;
  readonly lastEventId: string | undefined;
}

const refusalOf = (error: unknown): Reply =>
  error instanceof BadRequest ? refuse(400, error.message) : internalError();

/** Answers a request; what goes wrong becomes an answer, too. */
export const answer = (incoming: Incoming, token: string, services: Services): Reply | Promise<Reply> => {
  const { target } = incoming;
  const checked = check(target, incoming.authorization, token, services);
  if (checked.refusal !== undefined) return checked.refusal;
  try {
    const reply = handlers[target.operation](
      {
        target,
        query: createQuery(incoming.params),
        body: () => readBody(incoming.body, incoming.contentType),
        lastEventId: incoming.lastEventId,
        run: checked.run,
        task: checked.task,
      },
      services,
    );
    return reply instanceof Promise ? reply.catch(refusalOf) : reply;
  } catch (error) {
    return refusalOf(error);
  }
};
