import { defer, map, type Observable, switchMap } from 'rxjs';
import type { V1WorkflowRunDetails } from '../model/run.ts';
import type { WorkflowOf } from '../model/workflow.ts';
import type { RunsContext } from './context.ts';
import { getDetails } from './reads.ts';
import { createRunRef, type WorkflowRunRef } from './ref.ts';
import { preparedTrigger, type TriggerOptions } from './send-trigger.ts';

/** See `RunsClient.trigger`. */
export function triggerRun<I, O>(
  context: RunsContext,
  workflow: WorkflowOf<I, O>,
  input: I,
  options: TriggerOptions = {},
  operation = 'runs.trigger',
): Observable<WorkflowRunRef<O>> {
  return defer(() => {
    const send = preparedTrigger(context, operation, workflow, input, options);
    const output = typeof workflow === 'string' ? undefined : workflow.output;
    return send({}).pipe(
      map((runId) => createRunRef(context, runId, { output, waitTimeoutMs: options.waitTimeoutMs })),
    );
  });
}

/** See `RunsClient.create`. */
export function createRun<I, O>(
  context: RunsContext,
  workflow: WorkflowOf<I, O>,
  input: I,
  options?: TriggerOptions,
): Observable<V1WorkflowRunDetails> {
  const operation = 'runs.create';
  return triggerRun(context, workflow, input, options, operation).pipe(
    switchMap(({ id }) => getDetails(context, id, operation)),
  );
}
