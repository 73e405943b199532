import { catchError, switchMap, throwError } from 'rxjs';
import { NoEventStream, sseRunEvents } from '../sse/run-events.ts';
import { polledEvents } from './polled.ts';
import type { RunEventSource } from './source.ts';

const OPERATION = 'runs.subscribeToStream';

/**
 * SSE at the client's `serverUrl` (our gateway, the embedded engine); where nothing speaks SSE there, polling.
 *
 * A run that is triggered through a gateway is watched by it from before the run exists, so its events are all there when
 * this client subscribes after the trigger.
 */
export function defaultRunEvents(): RunEventSource {
  return {
    connect: (host) => {
      const events = (runId: string, { lastEventId }: { readonly lastEventId?: string | undefined } = {}) =>
        sseRunEvents(host, { operation: OPERATION, runId, lastEventId }).pipe(
          catchError((error: unknown) =>
            error instanceof NoEventStream ? polledEvents(host, OPERATION, runId) : throwError(() => error),
          ),
        );
      return {
        events,
        eventsOfTriggered: (trigger) => trigger({}).pipe(switchMap((runId) => events(runId))),
        close: () => Promise.resolve(),
      };
    },
  };
}
