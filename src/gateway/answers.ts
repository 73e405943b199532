import { type HatchetError, isHatchetError } from '../error/errors.ts';
import { isRecord } from '../model/json.ts';

/** Ends a request with an answer. */
export class Refused extends Error {
  override readonly name = 'Refused';
  readonly status: number;
  readonly body: unknown;
  readonly retryAfterMs: number | undefined;

  constructor(status: number, body: unknown, retryAfterMs?: number) {
    super(`refused with ${status}`);
    this.status = status;
    this.body = body;
    this.retryAfterMs = retryAfterMs;
  }
}

/** A refusal in the shape of Hatchet's router and checks. */
export function refused(status: number, message: string, retryAfterMs?: number): Refused {
  return new Refused(status, { message }, retryAfterMs);
}

/** [hatchet] What an unknown run or task gets, and here also one outside of the scope: neither is there. */
export const notFound = (): Refused => refused(404, 'not found');

/** Whether an error says that a run or task is not there. */
export function isMissing(error: unknown): boolean {
  return (
    (error instanceof Refused && error.status === 404) || (isHatchetError(error) && error._tag === 'RunNotFoundError')
  );
}

/** [hatchet] What a missing or wrong token gets; a 401 never is. */
export const forbidden = (reason = 'Please provide valid credentials'): Refused => refused(403, reason);

/** An answer in JSON. */
export function jsonResponse(status: number, value: unknown, retryAfterMs?: number): Response {
  const headers = new Headers({ 'content-type': 'application/json', 'cache-control': 'no-store' });
  // Whole seconds, never less than was meant.
  if (retryAfterMs !== undefined) headers.set('retry-after', String(Math.ceil(retryAfterMs / 1_000)));
  return new Response(JSON.stringify(value), { status, headers });
}

/** How an error is answered, and whether the gateway's owner should hear of it. */
export function refusalOf(error: unknown): { readonly refusal: Refused; readonly tell: boolean } {
  if (error instanceof Refused) return { refusal: error, tell: false };
  if (!isHatchetError(error)) return { refusal: refused(500, 'Internal Server Error'), tell: true };
  switch (error._tag) {
    case 'RunNotFoundError':
      return { refusal: notFound(), tell: false };
    case 'WorkflowNotFoundError':
      return { refusal: refused(404, `no workflow "${error.workflowName}" is registered`), tell: false };
    case 'RateLimitedError':
      return { refusal: refused(429, 'the server is busy', error.retryAfterMs), tell: false };
    case 'HttpStatusError':
      return { refusal: new Refused(error.status, upstreamBody(error), error.retryAfterMs), tell: error.status >= 500 };
    case 'TimeoutError':
      return { refusal: refused(504, 'the server did not answer in time'), tell: true };
    case 'AuthenticationError':
      // The gateway's own token: nothing that its users could put right.
      return { refusal: refused(502, 'the gateway was refused by its server'), tell: true };
    case 'ConfigError':
      return { refusal: refused(503, 'the gateway is closed'), tell: true };
    default:
      return { refusal: refused(502, 'the gateway cannot reach its server'), tell: true };
  }
}

/** [hatchet] `{ message }` or `{ errors: [{ description }] }`; both are passed on, and nothing else is. */
function upstreamBody({ snippet, status }: HatchetError): unknown {
  const fallback = { message: status === undefined || status >= 500 ? 'Internal Server Error' : 'Bad Request' };
  let json: unknown;
  try {
    json = JSON.parse(snippet ?? '');
  } catch {
    return fallback;
  }
  if (!isRecord(json)) return fallback;
  if (typeof json['message'] === 'string') return { message: json['message'] };
  return Array.isArray(json['errors']) ? { errors: json['errors'] } : fallback;
}
