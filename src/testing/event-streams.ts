import type { ServerResponse } from 'node:http';
// From the module, not the globals: fake timers of a test runner replace only the latter.
import { clearInterval as clear, setInterval as set } from 'node:timers';
import { Observable, throwError } from 'rxjs';
import { createHeartbeats } from '../gateway/heartbeats.ts';
import { createHub } from '../gateway/hub.ts';
import { nodeSink } from '../gateway/node-sink.ts';
import { createStreamBody } from '../gateway/stream-body.ts';
import { STREAM_HEADERS } from '../gateway/stream-response.ts';
import { runEventsOf } from './run-events.ts';
import type { Run, Store } from './store.ts';

/** The run events of an engine, as a gateway serves them. */
export interface EventStreams {
  /** Makes what answers a request with the events of some runs. Nothing is opened before it is called. */
  of(runs: readonly Run[], lastEventId: string | undefined): Deliver;
  close(): void;
}

/** Writes an event stream into an answer, whose connection is destroyed after `cutAfter` bytes of the body. */
export type Deliver = (response: ServerResponse, cutAfter: number | undefined) => void;

// An engine in a test process forgets nothing of what a test may look at.
const MEMORY = { events: 1_000_000, bytes: 256 * 1_048_576, runs: 100_000 };
const PATIENCE = { behindEvents: 1_000_000, behindBytes: 64 * 1_048_576 };
const FOR_EVER = { keepAfterEndMs: Number.POSITIVE_INFINITY, idleMs: Number.POSITIVE_INFINITY };

const ticks = (ms: number): Observable<void> =>
  new Observable((subscriber) => {
    const timer = set(() => subscriber.next(), ms);
    return () => clear(timer);
  });

/** The event streams of one engine. */
export const createEventStreams = (store: Store, heartbeatMs: number): EventStreams => {
  const hub = createHub({
    source: (runId) => {
      const run = store.runById(runId);
      return run === undefined ? throwError(() => new Error(`no run ${runId}`)) : runEventsOf(store, run);
    },
    buffer: { ...MEMORY, ...PATIENCE, ...FOR_EVER },
  });
  const heartbeats = createHeartbeats(heartbeatMs, ticks);
  // What has ended is no end any more.
  const stopListening = store.listen((happened) => {
    if (happened.type !== 'task' || happened.event.type !== 'RETRIED_BY_USER') return;
    hub.forgetEnded([happened.task.run.externalId]);
  });
  return {
    of: (runs, lastEventId) => (response, cutAfter) => {
      const reader = hub.open(
        runs.map((run) => run.externalId),
        lastEventId,
      );
      if ('error' in reader) {
        response.destroy();
        return;
      }
      const body = createStreamBody({ reader, heartbeats, onClosed: () => {} });
      response.writeHead(200, { ...STREAM_HEADERS, 'access-control-allow-origin': '*' });
      response.flushHeaders();
      response.on('drain', () => body.pump());
      response.once('close', () => body.cancel());
      body.attach(nodeSink(response, cutAfter));
    },
    close() {
      stopListening();
      hub.close();
    },
  };
};
