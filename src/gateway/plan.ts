import type { Observable } from 'rxjs';
import type { Endpoint } from '../http/endpoint.ts';
import type { RunsContext } from '../runs/context.ts';
import type { Access, Scope } from './authorize.ts';
import type { Hub } from './hub.ts';
import type { Knowledge } from './knowledge.ts';
import type { ResolvedLimits } from './options.ts';

/** What a request comes to: what must be allowed, and what is done then. */
export interface Plan {
  readonly access: Access;
  /** Does it. Emits the answer's JSON once. */
  readonly run: (scope: Scope | undefined) => Observable<unknown>;
}

/** What plans are made with. */
export interface Parts {
  /** The gateway's own client. */
  readonly context: RunsContext;
  readonly hub: Hub;
  readonly knowledge: Knowledge;
  readonly limits: ResolvedLimits;
}

/** A request that is passed on: its answer goes back as it came. */
export interface Relayed {
  readonly operation: string;
  readonly method: 'GET' | 'POST';
  readonly path: (tenantId: string) => string;
  readonly query?: string | undefined;
  readonly body?: object | undefined;
}

/** Asks the server. Sent once: whoever asked the gateway repeats what may be repeated. */
export function relay({ context }: Parts, request: Relayed): Observable<unknown> {
  const endpoint: Endpoint<unknown> = {
    ...request,
    operation: `gateway.${request.operation}`,
    read: (value) => value,
    repeatable: false,
  };
  return context.guard(context.exchange(endpoint));
}

/** The path of a thing of the tenant's. */
export const ofTenant =
  (rest: string) =>
  (tenantId: string): string =>
    `/api/v1/stable/tenants/${tenantId}${rest}`;
