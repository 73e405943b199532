import { concatMap, defer, forkJoin, map, type Observable, of } from 'rxjs';
import { isTerminal } from '../model/status.ts';
import { refusalOf, refused } from './answers.ts';
import type { Scope } from './authorize.ts';
import type { Heartbeats } from './heartbeats.ts';
import { createStreamBody, type StreamBody } from './stream-body.ts';
import { streamResponse } from './stream-response.ts';
import type { HubRefusal } from './hub.ts';
import type { HubReader } from './hub-reader.ts';
import type { Parts, Plan } from './plan.ts';
import { type Query, uuids } from './queries.ts';

/** The open event streams of a gateway. */
export interface Streams {
  /** A stream of one run's events, or of several runs'. */
  plan(request: Request, runId: string | undefined, query: Query): Plan;
  stats(): { readonly open: number; readonly principals: number; readonly cutOff: number };
  /** Ends them all, so that their readers go elsewhere. */
  close(): void;
}

/** When a client that has too many streams may come again. Milliseconds. */
const CROWDED_PAUSE_MS = 5_000;

export function createStreams(parts: Parts, heartbeats: Heartbeats): Streams {
  const { hub, knowledge, limits } = parts;
  const open = new Set<StreamBody>();
  const perPrincipal = new Map<string, number>();
  let cutOff = 0;

  const checkRoom = (principal: string): void => {
    if (open.size >= limits.streams) throw refused(503, 'too many event streams', CROWDED_PAUSE_MS);
    if ((perPrincipal.get(principal) ?? 0) >= limits.streamsPerPrincipal) {
      throw refused(429, 'too many event streams for one client', CROWDED_PAUSE_MS);
    }
  };

  /** Emits once if every run exists and is within the scope. */
  const allThere = (runIds: readonly string[], scope: Scope | undefined): Observable<unknown> => {
    if (scope !== undefined) return knowledge.allWithin(runIds, scope);
    const unknown = runIds.filter((runId) => hub.knows(runId) === undefined && !knowledge.has(runId));
    return unknown.length === 0 ? of(undefined) : forkJoin(unknown.map((runId) => knowledge.status(runId)));
  };

  /** A run that has ended may have been replayed since: then what is remembered of its end is void. */
  const upToDate = (runIds: readonly string[]): Observable<unknown> => {
    const ended = runIds.filter((runId) => hub.knows(runId) === 'ended');
    const looks = ended.map((runId) =>
      knowledge.tasks(runId).pipe(
        map((tasks) => {
          const seen = hub.retryCountsOf(runId);
          const isRevived = tasks.some(
            ({ status, taskExternalId, retryCount }) =>
              !isTerminal(status) || retryCount > (seen.get(taskExternalId) ?? retryCount),
          );
          if (isRevived) hub.forgetEnded([runId]);
        }),
      ),
    );
    return looks.length === 0 ? of(undefined) : forkJoin(looks);
  };

  const start = (request: Request, reader: HubReader, principal: string): Response => {
    const body: StreamBody = createStreamBody({
      reader,
      heartbeats,
      onClosed(how) {
        open.delete(body);
        if (how === 'cut') cutOff += 1;
        const left = (perPrincipal.get(principal) ?? 1) - 1;
        if (left > 0) perPrincipal.set(principal, left);
        else perPrincipal.delete(principal);
      },
    });
    open.add(body);
    perPrincipal.set(principal, (perPrincipal.get(principal) ?? 0) + 1);
    request.signal.addEventListener('abort', () => body.cancel(), { once: true });
    if (request.signal.aborted) body.cancel();
    return streamResponse(body);
  };

  return {
    plan(request, runId, query) {
      const runIds = runId === undefined ? [...new Set(uuids('id', query.many('id')))] : [runId];
      if (runIds.length === 0) throw refused(400, "query parameter 'id' is required");
      if (runIds.length > limits.runsPerStream)
        throw refused(400, `more than ${limits.runsPerStream} runs on one stream`);
      const lastEventId = request.headers.get('last-event-id') ?? query.one('lastEventId') ?? '';
      const isFresh = lastEventId === '';
      return {
        access: { operation: 'subscribeToStream', runIds },
        run: (scope) =>
          defer(() => {
            const principal = limits.principal(request);
            checkRoom(principal);
            return allThere(runIds, scope).pipe(
              concatMap(() => (isFresh ? upToDate(runIds) : of(undefined))),
              map(() => {
                // Others may have come while this one was looked at.
                checkRoom(principal);
                const reader = hub.open(runIds, isFresh ? undefined : lastEventId);
                if ('error' in reader) throw unreadable(reader);
                return start(request, reader, principal);
              }),
            );
          }),
      };
    },
    stats: () => ({ open: open.size, principals: perPrincipal.size, cutOff }),
    close() {
      for (const body of open) body.shutDown();
    },
  };
}

function unreadable({ error, retryAfterMs }: HubRefusal): Error {
  if (error === undefined) return refused(503, 'the gateway listens to too many runs', retryAfterMs);
  const { refusal } = refusalOf(error);
  // What the source cannot do now it may do later; all else is final.
  return refusal.status < 500 ? refusal : refused(503, 'the gateway lost its source of events', retryAfterMs);
}
