import {
  asyncScheduler,
  concatMap,
  defer,
  map,
  Observable,
  retry,
  switchMap,
  takeWhile,
  type Subscription,
  throwError,
  timer,
} from 'rxjs';
import { ConnectionError, type HatchetError, isHatchetError, StreamInterruptedError } from '../error/errors.ts';
import type { EventHost } from '../events/source.ts';
import { type AnswerContext, readAnswer } from '../http/answer.ts';
import type { Access } from '../http/credentials.ts';
import { headersFor } from '../http/extra-headers.ts';
import { backoffMs } from '../http/retry-policy.ts';
import type { HttpRequest, HttpStreamPart } from '../http/transport.ts';
import { type RunEvent, readRunEvent } from '../model/event.ts';
import { isRecord } from '../model/json.ts';
import { attempt, Mismatch } from '../model/reader.ts';
import { createEventWindow } from './event-window.ts';
import { parseMessages, type SseSignal } from './messages.ts';

/** Until the server has said how often it gives a sign of life. Milliseconds. */
const DEFAULT_HEARTBEAT_MS = 15_000;

/** How long a stream may be down before it is given up. Milliseconds. */
const OUTAGE_PATIENCE_MS = 60_000;

/** How much of an error's body is read. */
const MAX_ERROR_LENGTH = 16_384;

/** The server has no event streams at all. [hatchet] 403 with the body `null` is its answer for unknown paths. */
export class NoEventStream extends Error {}

/** Which runs' events. */
export interface StreamTarget {
  readonly operation: string;
  readonly runId: string;
  readonly lastEventId?: string | undefined;
}

/**
 * A run's events by SSE, across as many connections as it takes.
 *
 * Emits: each event once; a `gap` when the server no longer holds the resume point. Completes: after the server's `end`, and
 * only then: a connection that just ends is broken, as is one that is silent for two heartbeats. Errors: `RunNotFoundError`,
 * `AuthenticationError` (after the token was asked for once more), `HttpStatusError` of other 4xx; `StreamInterruptedError`
 * when no connection has given anything for a minute; `NoEventStream`. Unsubscribing closes the socket.
 */
export function sseRunEvents(host: EventHost, target: StreamTarget): Observable<RunEvent> {
  const { transport } = host;
  if (transport.stream === undefined) return throwError(() => new NoEventStream());
  const open = transport.stream.bind(transport);
  // Everything that must outlive a connection lives here, above the retry.
  return defer(() => {
    const window = createEventWindow();
    let lastEventId = target.lastEventId;
    let seen = 0;
    let heartbeatMs = DEFAULT_HEARTBEAT_MS;
    let wishedRetryMs: number | undefined;
    let failures = 0;
    let failingSince: number | undefined;
    let used: Access | undefined;
    let askedAgain = false;

    const useful = () => {
      failures = 0;
      failingSince = undefined;
    };

    /** The events that one signal stands for; `undefined` is the end. */
    const eventsOf = (signal: SseSignal): readonly (RunEvent | undefined)[] => {
      if (signal.type === 'retry') {
        wishedRetryMs = signal.ms;
        return [];
      }
      useful();
      if (signal.type === 'alive') return [];
      const { event, data, id } = signal.message;
      if (event === 'end') return [undefined];
      if (event === 'open') {
        const opening = openingOf(data);
        heartbeatMs = opening.heartbeatMs ?? heartbeatMs;
        return lastEventId !== undefined && !opening.resumed ? [notHeld(target.runId)] : [];
      }
      const decoded = attempt(readRunEvent, jsonOf(data));
      if (id !== undefined && id !== '') {
        lastEventId = id;
        if (!window.isNew(id)) return [];
      }
      if (decoded === undefined) return [];
      if (decoded instanceof Mismatch) {
        const reason = `an event could not be read: ${decoded.path.join('.')} is not ${decoded.expected}`;
        return [{ type: 'gap', runId: target.runId, reason }];
      }
      seen += 1;
      return [id === undefined ? decoded : { ...decoded, id }];
    };

    const connection = (): Observable<RunEvent | undefined> =>
      requestFor(host, target, lastEventId).pipe(
        switchMap(({ request, access, context }) => {
          used = access;
          const startedAt = asyncScheduler.now();
          const { operation, method, path } = context;
          const attemptNumber = failures + 1;
          host.diagnose?.({ type: 'request', operation, method, path, attempt: attemptNumber });
          const parts = open(request).pipe(
            map((part) => {
              if (part.type === 'head') {
                const durationMs = asyncScheduler.now() - startedAt;
                const { status } = part;
                host.diagnose?.({
                  type: 'response',
                  operation,
                  method,
                  path,
                  attempt: attemptNumber,
                  status,
                  durationMs,
                });
              }
              return part;
            }),
          );
          return brokenUnlessEnded(parseMessages(bodyOf(parts, context)), () => heartbeatMs, context);
        }),
        concatMap(eventsOf),
      );

    const beforeNext = (error: unknown): Observable<unknown> => {
      if (!isHatchetError(error)) throw error;
      if (error._tag === 'AuthenticationError' && used !== undefined && !askedAgain) {
        askedAgain = true;
        const newer = host.credentials.refresh(used);
        if (newer !== undefined) return newer;
      }
      if (!error.retryable) throw error;
      const now = asyncScheduler.now();
      failures += 1;
      failingSince ??= now;
      if (now - failingSince >= OUTAGE_PATIENCE_MS) throw interrupted(target, error, lastEventId, seen);
      const asked =
        error._tag === 'RateLimitedError' || error._tag === 'HttpStatusError' ? error.retryAfterMs : undefined;
      const delayMs = Math.max(backoffMs(host.retry, failures, Math.random), wishedRetryMs ?? 0, asked ?? 0);
      host.diagnose?.({ type: 'retry', operation: target.operation, attempt: failures, delayMs, error });
      return timer(delayMs);
    };

    return defer(connection).pipe(
      retry({ delay: beforeNext }),
      takeWhile((event) => event !== undefined),
    );
  });
}

/** What is sent to open a connection. */
interface Opening {
  readonly request: HttpRequest;
  readonly access: Access;
  readonly context: AnswerContext;
}

function requestFor(
  { credentials, headers }: EventHost,
  { operation, runId }: StreamTarget,
  lastEventId: string | undefined,
): Observable<Opening> {
  return credentials.access().pipe(
    switchMap((access) =>
      headersFor(headers).pipe(
        map((extra) => {
          const path = `${access.basePath}/api/v1/stable/tenants/${access.tenantId}/workflow-runs/${runId}/events`;
          const request: HttpRequest = {
            method: 'GET',
            origin: access.origin,
            path,
            headers: {
              ...extra,
              accept: 'text/event-stream',
              ...(access.token === undefined ? {} : { authorization: `Bearer ${access.token}` }),
              ...(lastEventId === undefined ? {} : { 'last-event-id': lastEventId }),
            },
          };
          const secrets = () => [access.token ?? '', ...Object.values(extra)];
          return { request, access, context: { operation, method: 'GET', path, attempts: 1, runId, secrets } };
        }),
      ),
    ),
  );
}

/** The bytes of an event stream; any other answer becomes its error. */
function bodyOf(parts: Observable<HttpStreamPart>, context: AnswerContext): Observable<Uint8Array> {
  return new Observable((subscriber) => {
    let status = 0;
    let headers: Extract<HttpStreamPart, { type: 'head' }>['headers'] = {};
    let isStream = false;
    let errorBody = '';
    const decoder = new TextDecoder();
    const fail = () => {
      if (status === 403 && errorBody.trim() === 'null') return new NoEventStream();
      try {
        // Throws for everything that is no success; a success that is no event stream cannot be one later.
        readAnswer({ status, headers, body: errorBody }, () => undefined, context, asyncScheduler.now());
      } catch (error) {
        return error;
      }
      return new NoEventStream();
    };
    return parts.subscribe({
      next: (part) => {
        if (part.type === 'head') {
          ({ status, headers } = part);
          const type = headers['content-type'];
          isStream = status === 200 && String(type).startsWith('text/event-stream');
        } else if (isStream) subscriber.next(part.bytes);
        else {
          errorBody += decoder.decode(part.bytes, { stream: true });
          if (errorBody.length > MAX_ERROR_LENGTH) subscriber.error(fail());
        }
      },
      error: (cause: unknown) => subscriber.error(connectionError(context, 'the connection broke', cause)),
      complete: () => {
        if (isStream) subscriber.complete();
        else subscriber.error(fail());
      },
    });
  });
}

/** [spec] API: only an `end` message ends a stream, and there is a sign of life in every heartbeat. */
function brokenUnlessEnded(
  signals: Observable<SseSignal>,
  heartbeatMs: () => number,
  context: AnswerContext,
): Observable<SseSignal> {
  return new Observable<SseSignal>((subscriber) => {
    let silence: Subscription | undefined;
    // Not rxjs' timeout: how long a heartbeat is, the stream itself says in its first message.
    const listen = () => {
      silence?.unsubscribe();
      const ms = 2 * heartbeatMs();
      silence = asyncScheduler.schedule(() => subscriber.error(connectionError(context, `silent for ${ms} ms`)), ms);
    };
    listen();
    const subscription = signals.subscribe({
      next: (signal) => {
        subscriber.next(signal);
        listen();
      },
      error: (error: unknown) =>
        subscriber.error(
          isHatchetError(error) || error instanceof NoEventStream
            ? error
            : connectionError(context, 'the stream cannot be parsed', error),
        ),
      complete: () => subscriber.error(connectionError(context, 'the connection ended in mid-stream')),
    });
    return () => {
      silence?.unsubscribe();
      subscription.unsubscribe();
    };
  });
}

function openingOf(data: string): { readonly heartbeatMs: number | undefined; readonly resumed: boolean } {
  const json = jsonOf(data);
  const { heartbeatMs, resumed } = isRecord(json) ? json : {};
  return {
    heartbeatMs: typeof heartbeatMs === 'number' && heartbeatMs > 0 ? heartbeatMs : undefined,
    resumed: resumed === true,
  };
}

function jsonOf(data: string): unknown {
  try {
    return JSON.parse(data);
  } catch {
    return undefined;
  }
}

function notHeld(runId: string): RunEvent {
  return { type: 'gap', runId, reason: 'the server no longer holds the resume point: events in between are lost' };
}

function connectionError(context: AnswerContext, what: string, cause?: unknown): ConnectionError {
  const { operation, method, path, runId } = context;
  return new ConnectionError(`${operation}: ${what} (${method} ${path})`, { operation, method, path, runId, cause });
}

function interrupted(
  { operation, runId }: StreamTarget,
  cause: HatchetError,
  lastEventId: string | undefined,
  seen: number,
): StreamInterruptedError {
  return new StreamInterruptedError(
    `${operation}: the events of run ${runId} broke off after ${seen} and could not be resumed for a minute: ${cause.message}`,
    { lastEventId, seen },
    { operation, runId, cause },
  );
}
