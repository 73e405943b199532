import { asyncScheduler, defer, type Observable, switchMap, timer } from 'rxjs';
import type { Diagnose } from '../diagnostics.ts';
import { ConnectionError, type HatchetError, isHatchetError, TimeoutError } from '../error/errors.ts';
import { attempts } from '../operators/attempts.ts';
import { type AnswerContext, readAnswer, redacted } from './answer.ts';
import type { Access, Credentials } from './credentials.ts';
import type { Endpoint } from './endpoint.ts';
import { type ExtraHeaders, fixedHeadersOf, headersFor, type HeadersOption } from './extra-headers.ts';
import { backoffMs, type ResolvedRetryPolicy } from './retry-policy.ts';
import type { HttpResponse, HttpTransport } from './transport.ts';

/** What an exchange is made of. */
export interface ExchangeConfig {
  readonly credentials: Credentials;
  readonly transport: HttpTransport;
  readonly headers: HeadersOption;
  readonly retry: ResolvedRetryPolicy;
  /** Of one request, all its attempts together. Milliseconds. */
  readonly timeoutMs: number;
  readonly diagnose: Diagnose;
}

/**
 * Sends one request and emits the answer's value once.
 *
 * Cold; unsubscribing aborts. Repeats what is safe to repeat after connection errors, 408, 429 and 5xx, within the
 * deadline; a refused token is asked for once more and the request sent again, which is safe for every request, since
 * the refused one did nothing.
 */
export type Exchange = <A>(endpoint: Endpoint<A>) => Observable<A>;

export function createExchange(config: ExchangeConfig): Exchange {
  const fixedHeaders = fixedHeadersOf(config.headers);
  return (endpoint) => defer(() => exchangeOnce(config, fixedHeaders, endpoint));
}

/** One subscription: the state of its attempts lives here, above the retries. */
function exchangeOnce<A>(
  config: ExchangeConfig,
  fixedHeaders: ExtraHeaders | undefined,
  endpoint: Endpoint<A>,
): Observable<A> {
  const { credentials, diagnose, retry: policy, timeoutMs } = config;
  const { operation, method } = endpoint;
  const startedAt = asyncScheduler.now();
  let count = 0;
  let used: Access | undefined;
  /** The request that waits for its answer. */
  let underWay: { readonly context: AnswerContext; readonly sentAt: number } | undefined;
  let askedAgain = false;

  const send = (access: Access, extra: ExtraHeaders): Observable<HttpResponse> => {
    count += 1;
    used = access;
    const path = `${access.basePath}${endpoint.path(access.tenantId)}`;
    const request = {
      method,
      origin: access.origin,
      path: endpoint.query === undefined ? path : path + endpoint.query,
      headers: headersOf(access, endpoint, extra),
      body: endpoint.body === undefined ? undefined : JSON.stringify(endpoint.body),
    };
    const secrets = () => [access.token ?? '', ...Object.values(extra).flatMap(secretsOf)];
    const context = { operation, method, path, attempts: count, runId: endpoint.runId, secrets };
    underWay = { context, sentAt: asyncScheduler.now() };
    if (diagnose !== undefined) diagnose({ type: 'request', operation, method, path, attempt: count });
    return config.transport.request(request);
  };

  const attempt = (): Observable<HttpResponse> => {
    const access = credentials.current();
    if (access !== undefined && fixedHeaders !== undefined) return send(access, fixedHeaders);
    return credentials
      .access()
      .pipe(switchMap((known) => headersFor(config.headers).pipe(switchMap((extra) => send(known, extra)))));
  };

  const read = (response: HttpResponse): A => {
    if (underWay === undefined) throw new Error('an answer without a request');
    const { context, sentAt } = underWay;
    underWay = undefined;
    const now = asyncScheduler.now();
    if (diagnose !== undefined) {
      const { path, attempts: attempt } = context;
      const { status } = response;
      diagnose({ type: 'response', operation, method, path, attempt, status, durationMs: now - sentAt });
    }
    return readAnswer(response, endpoint.read, context, now);
  };

  const pauseBefore = (failure: unknown): Observable<unknown> => {
    // What the transport says becomes ours; what else is not ours is a fault of the program, and stays what it is.
    const error = underWay === undefined ? failure : noAnswer(failure, underWay.context);
    underWay = undefined;
    if (!isHatchetError(error)) throw error;
    if (error._tag === 'AuthenticationError' && used !== undefined && !askedAgain) {
      askedAgain = true;
      const newer = credentials.refresh(used);
      if (newer !== undefined) return newer;
    }
    if (!error.retryable || !endpoint.repeatable || count >= policy.maxAttempts) throw error;
    const asked =
      error._tag === 'RateLimitedError' || error._tag === 'HttpStatusError' ? error.retryAfterMs : undefined;
    const delayMs = Math.max(backoffMs(policy, count, Math.random), asked ?? 0);
    // Better the server's own answer now than a time-out later.
    if (asyncScheduler.now() - startedAt + delayMs >= timeoutMs) throw error;
    if (diagnose !== undefined) diagnose({ type: 'retry', operation, attempt: count, delayMs, error });
    return timer(delayMs);
  };

  return attempts({
    attempt,
    read,
    pauseBefore,
    deadlineMs: timeoutMs,
    makeDeadlineError: () => deadlinePassed(config, endpoint, used, count),
  });
}

/** What may be secret in a header: all of it, the part behind `Bearer`, each value of a cookie. */
function secretsOf(header: string): readonly string[] {
  return [header, ...header.split(/[\s;,=]+/)];
}

function headersOf(access: Access, endpoint: Endpoint<unknown>, extra: ExtraHeaders): Record<string, string> {
  const headers: Record<string, string> = { ...extra };
  // [hatchet] "Bearer" with a capital; "bearer" is refused.
  if (access.token !== undefined) headers['authorization'] = `Bearer ${access.token}`;
  // [hatchet] With any other content type the body's fields are ignored, or the answer is 415.
  if (endpoint.body !== undefined) headers['content-type'] = 'application/json';
  return headers;
}

function noAnswer(cause: unknown, context: AnswerContext): HatchetError {
  if (isHatchetError(cause)) return cause;
  const { operation, method, path, attempts, runId, secrets } = context;
  const reason = cause instanceof Error ? redacted(cause.message, secrets()) : 'unknown reason';
  return new ConnectionError(`${operation}: no answer to ${method} ${path}: ${reason}`, {
    operation,
    method,
    path,
    attempts,
    runId,
    cause,
  });
}

function deadlinePassed(
  { timeoutMs }: ExchangeConfig,
  { operation, method, path, runId }: Endpoint<unknown>,
  access: Access | undefined,
  attempts: number,
): TimeoutError {
  const where = access === undefined ? undefined : `${access.basePath}${path(access.tenantId)}`;
  return new TimeoutError(
    `${operation}: no answer to ${method} ${where ?? 'the request'} within ${timeoutMs} ms (attempts: ${attempts})`,
    { waitedMs: timeoutMs },
    { operation, method, path: where, attempts, runId },
  );
}
