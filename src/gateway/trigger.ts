import { map, Observable, tap, timer } from 'rxjs';
import { readTriggeredId } from '../model/run.ts';
import { isRecord } from '../model/json.ts';
import { refused } from './answers.ts';
import type { Body } from './actions.ts';
import { ofTenant, type Parts, type Plan, relay } from './plan.ts';

/** How long the subscription to a run's events may take before the run is triggered without. Milliseconds. */
const SUBSCRIBE_PATIENCE_MS = 2_000;

/**
 * A trigger. The run's events are subscribed to before it exists, so that whoever reads them later misses nothing; where
 * that cannot be done, the run is triggered all the same.
 */
export function planTrigger(parts: Parts, body: Body): Plan {
  const { workflowName, input, priority } = body;
  const metadata = body['additionalMetadata'] ?? {};
  if (typeof workflowName !== 'string' || workflowName === '') throw refused(400, 'workflowName must be a text');
  if (!isRecord(metadata)) throw refused(400, 'additionalMetadata must be an object');
  return {
    access: { operation: 'trigger', workflowName },
    run(scope = {}) {
      const send = (tag: Readonly<Record<string, string>>) => {
        // The scope comes last: nothing that is sent along may stand in its way.
        const additionalMetadata = { ...metadata, ...tag, ...scope };
        return relay(parts, {
          operation: 'trigger',
          method: 'POST',
          path: ofTenant('/workflow-runs/trigger'),
          // Field by field: [hatchet] the server takes names in any case, so that another spelling would override these.
          body: { workflowName, input, additionalMetadata, priority, return_only_id: body['return_only_id'] === true },
        }).pipe(
          tap((answer) => {
            const runId = readTriggeredId(answer);
            parts.context.memory.triggered(runId, workflowName);
            parts.knowledge.learn(runId, additionalMetadata);
          }),
        );
      };
      return subscribedFirst(parts, send);
    },
  };
}

/** Emits what `send` does, once. Once sent, unsubscribing does not call it back. */
function subscribedFirst(
  { context, hub }: Parts,
  send: (tag: Readonly<Record<string, string>>) => Observable<unknown>,
): Observable<unknown> {
  return new Observable((subscriber) => {
    let isSent = false;
    const sendPlainly = () => {
      if (isSent) return;
      giveUp();
      isSent = true;
      subscriber.add(send({}).subscribe(subscriber));
    };
    const patience = timer(SUBSCRIBE_PATIENCE_MS).subscribe(sendPlainly);
    subscriber.add(() => {
      patience.unsubscribe();
      if (!isSent) giveUp();
    });
    let giveUp = (): void => {};
    giveUp = hub.adopt((known) =>
      context.events
        .eventsOfTriggered((tag) => {
          isSent = true;
          return send(tag).pipe(
            tap({
              next: (answer) => {
                known(readTriggeredId(answer));
                subscriber.next(answer);
                subscriber.complete();
              },
              error: (error: unknown) => subscriber.error(error),
            }),
            map(readTriggeredId),
          );
        })
        .pipe(tap({ error: sendPlainly, complete: sendPlainly }), context.guard),
    );
  });
}
