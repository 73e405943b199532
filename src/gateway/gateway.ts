// So that the declarations stand on their own where a consumer's `lib` has no Symbol.asyncDispose.
/// <reference lib="esnext.disposable" preserve="true" />
import { defer, firstValueFrom, from, fromEvent, type Observable, of, switchMap, takeUntil, throwError } from 'rxjs';
import { ConfigError } from '../error/errors.ts';
import { internalsOf } from '../internals.ts';
import { type Body, planAction, planBranch } from './actions.ts';
import { forbidden, jsonResponse, refusalOf, refused } from './answers.ts';
import { verdictOf } from './authorize.ts';
import { grant, preflight } from './cors.ts';
import { createHeartbeats } from './heartbeats.ts';
import { createHub } from './hub.ts';
import { createKnowledge } from './knowledge.ts';
import { planDisplayNames, planIds, planList, planMetrics } from './lists.ts';
import { type GatewayOptions, resolveOptions } from './options.ts';
import type { Parts, Plan } from './plan.ts';
import { type Query, readQuery } from './queries.ts';
import { planRunRead, planTask, planWorkflows } from './reads.ts';
import { readBody } from './request-body.ts';
import { type Route, route, type TenantOperation } from './routes.ts';
import { createStreams } from './streams.ts';
import { planTrigger } from './trigger.ts';

/** What stands between a Hatchet server and people's browsers. */
export interface Gateway {
  /** Answers a request. Never rejects. */
  fetch(request: Request): Promise<Response>;
  /** Ends every event stream, so that clients go elsewhere, and refuses what comes later. The client stays open. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
  stats(): GatewayStats;
}

/** What a gateway is doing. */
export interface GatewayStats {
  /** Open event streams. */
  readonly streams: number;
  /** Who they belong to, in number. */
  readonly principals: number;
  /** Subscriptions to run events at the server: one per run, however many streams. */
  readonly upstreams: number;
  /** Runs whose events are held, and of these the ones that have ended. */
  readonly runs: number;
  readonly endedRuns: number;
  /** Events held, and their bytes. */
  readonly events: number;
  readonly bytes: number;
  /** Streams that were cut off so far for being too slow. */
  readonly cutOff: number;
  /** Requests so far. */
  readonly requests: number;
  /** Requests that were denied so far. */
  readonly denied: number;
}

/**
 * Makes a gateway: Hatchet's own REST paths (what the runs client needs of them) and run events by SSE, for clients that must
 * not have the server's token.
 *
 * Every request is put to `authorize`, and nothing is allowed that it does not allow. One subscription per run serves all
 * its readers; a bounded memory lets them come late and resume. Runs that are triggered through the gateway are listened to
 * from before they exist.
 *
 * @throws ConfigError if an option is missing or wrong
 * @example
 * ```ts
 * const gateway = createGateway({ hatchet: createHatchet(), authorize: runTokens({ secret }) });
 * createServer(toNodeHandler(gateway)).listen(8080);
 * ```
 */
export function createGateway(options: GatewayOptions): Gateway {
  const { hatchet, authorize, basePath, cors, heartbeatMs, buffer, limits, onError } = resolveOptions(options);
  const context = internalsOf(hatchet);
  if (context === undefined) throw new ConfigError('createGateway: hatchet must be a client that createHatchet made');
  const hub = createHub({
    source: (runId, lastEventId) => context.guard(context.events.events(runId, { lastEventId })),
    buffer,
    onFailure: onError,
  });
  const parts: Parts = { context, hub, limits, knowledge: createKnowledge(context) };
  const streams = createStreams(parts, createHeartbeats(heartbeatMs));
  let closed = false;
  let requests = 0;
  let denied = 0;

  /** What a request asks for. */
  const planOf = (request: Request, target: Route, query: Query): Observable<Plan> => {
    switch (target.kind) {
      case 'run':
        return of(planRunRead(parts, target, query));
      case 'task':
        return planTask(parts, target, query);
      case 'stream':
        return of(streams.plan(request, target.id, query));
      case 'tenant':
        return request.method === 'GET'
          ? of(planTenantRead(parts, target.operation, query))
          : from(readBody(request, limits.bodyBytes)).pipe(
              switchMap((body) => planWrite(parts, target.operation, body)),
            );
    }
  };

  const carriedOut = (request: Request, plan: Plan): Observable<unknown> =>
    from(Promise.resolve(authorize(request, plan.access))).pipe(
      switchMap((decision) => {
        const verdict = verdictOf(decision);
        if (verdict.allowed) return plan.run(verdict.scope);
        denied += 1;
        return throwError(() => forbidden(verdict.reason));
      }),
    );

  const answer = async (request: Request): Promise<Response> => {
    if (closed) throw refused(503, 'the gateway is closed', 1_000);
    const url = new URL(request.url);
    const path = url.pathname.startsWith(`${basePath}/`) ? url.pathname.slice(basePath.length) : url.pathname;
    const target = route(request.method, path, hatchet.tenantId);
    // [hatchet] An unknown path or method is a 403 whose body is null.
    if (target === undefined) return jsonResponse(403, null);
    const value = await firstValueFrom(
      defer(() => planOf(request, target, readQuery(url.searchParams))).pipe(
        switchMap((plan) => carriedOut(request, plan)),
        takeUntil(fromEvent(request.signal, 'abort')),
      ),
      // Nobody waits for this answer any more.
      { defaultValue: new Response(null, { status: 499 }) },
    );
    return value instanceof Response ? value : jsonResponse(200, value);
  };

  const close = (): Promise<void> => {
    closed = true;
    streams.close();
    hub.close();
    return Promise.resolve();
  };

  return {
    async fetch(request) {
      requests += 1;
      if (request.method === 'OPTIONS') return preflight(request, cors);
      let response: Response;
      try {
        response = await answer(request);
      } catch (error) {
        const { refusal, tell } = refusalOf(error);
        if (tell) onError(error);
        response = jsonResponse(refusal.status, refusal.body, refusal.retryAfterMs);
      }
      grant(response.headers, request, cors);
      return response;
    },
    close,
    [Symbol.asyncDispose]: close,
    stats() {
      const { open, principals, cutOff } = streams.stats();
      const { upstreams, runs, endedRuns, events, bytes } = hub.stats();
      return { streams: open, principals, upstreams, runs, endedRuns, events, bytes, cutOff, requests, denied };
    },
  };
}

function planTenantRead(parts: Parts, operation: TenantOperation, query: Query): Plan {
  switch (operation) {
    case 'list':
      return planList(parts, query);
    case 'listIds':
      return planIds(parts, query);
    case 'getDisplayNames':
      return planDisplayNames(parts, query);
    case 'getMetrics':
      return planMetrics(parts, query);
    case 'listWorkflows':
      return planWorkflows(parts, query);
    default:
      throw refused(403, `${operation} is no read`);
  }
}

function planWrite(parts: Parts, operation: TenantOperation, body: Body): Observable<Plan> {
  switch (operation) {
    case 'trigger':
      return of(planTrigger(parts, body));
    case 'cancel':
    case 'replay':
      return of(planAction(parts, operation, body));
    case 'branchDurableTask':
      return planBranch(parts, body);
    default:
      throw refused(403, `${operation} is a read`);
  }
}
