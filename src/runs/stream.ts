import { defer, type Observable } from 'rxjs';
import type { RunEvent } from '../model/event.ts';
import { checkKeys, checkRunId } from '../model/filter.ts';
import type { WorkflowOf } from '../model/workflow.ts';
import type { RunsContext } from './context.ts';
import { preparedTrigger, type TriggerOptions } from './send-trigger.ts';
import { whenVisible } from './when-visible.ts';

/** A run that somebody else triggered may be this young, in milliseconds. */
const STRANGER_GRACE_MS = 1_000;

/** See `RunsClient.subscribeToStream`. */
export function subscribeToStream(
  context: RunsContext,
  runId: string,
  options: { readonly lastEventId?: string | undefined } = {},
): Observable<RunEvent> {
  const operation = 'runs.subscribeToStream';
  return defer(() => {
    checkRunId(operation, runId);
    checkKeys(operation, options, ['lastEventId']);
    return whenVisible(context, operation, runId, context.events.events(runId, options), STRANGER_GRACE_MS);
  });
}

/** See `RunsClient.triggerAndStream`. */
export function triggerAndStream<I, O>(
  context: RunsContext,
  workflow: WorkflowOf<I, O>,
  input: I,
  options: TriggerOptions = {},
): Observable<RunEvent> {
  const operation = 'runs.triggerAndStream';
  return defer(() => {
    // Checked now, so that a wrong input opens no subscription.
    const send = preparedTrigger(context, operation, workflow, input, options);
    return context.events.eventsOfTriggered(send);
  });
}
