import { defer, map, type Observable } from 'rxjs';
import { RunNotFinishedError } from '../error/errors.ts';
import { runDetails, runStatus, taskRun } from '../http/endpoints.ts';
import { checkRunId } from '../model/filter.ts';
import type { JsonObject } from '../model/json.ts';
import type { V1TaskSummary, V1WorkflowRunDetails } from '../model/run.ts';
import type { V1TaskStatus } from '../model/status.ts';
import type { RunsContext } from './context.ts';
import { lookOnce, outcomeOf } from './wait.ts';
import { whenVisible } from './when-visible.ts';

/** See `RunsClient.get`. */
export function getDetails(
  context: RunsContext,
  runId: string,
  operation = 'runs.get',
): Observable<V1WorkflowRunDetails> {
  return defer(() => {
    checkRunId(operation, runId);
    return whenVisible(context, operation, runId, context.exchange(runDetails(operation, runId)));
  });
}

/** See `RunsClient.getStatus`. */
export function getStatus(context: RunsContext, runId: string): Observable<V1TaskStatus> {
  const operation = 'runs.getStatus';
  return defer(() => {
    checkRunId(operation, runId);
    return whenVisible(context, operation, runId, context.exchange(runStatus(operation, runId)));
  });
}

/** See `RunsClient.getTaskRun`. */
export function getTaskRun(context: RunsContext, taskRunId: string): Observable<V1TaskSummary> {
  const operation = 'runs.getTaskRun';
  return defer(() => {
    checkRunId(operation, taskRunId);
    return whenVisible(context, operation, taskRunId, context.exchange(taskRun(operation, taskRunId)));
  });
}

/** See `RunsClient.getResult`. */
export function getResult(context: RunsContext, runId: string): Observable<JsonObject> {
  const operation = 'runs.getResult';
  return defer(() => {
    checkRunId(operation, runId);
    return lookOnce(context, operation, runId).pipe(
      map(({ status, ending }) => {
        if (ending === undefined) {
          const message = `${operation}: run ${runId} has not ended yet (${status})`;
          throw new RunNotFinishedError(message, { runStatus: status }, { operation, runId });
        }
        return outcomeOf(operation, runId, ending);
      }),
    );
  });
}
