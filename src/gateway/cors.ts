import type { CorsOptions } from './options.ts';

/** How long browsers may remember the answer to a preflight. Seconds. */
const MAX_AGE_S = 600;

/** The answer to a preflight; without permission it grants nothing. */
export function preflight(request: Request, cors: CorsOptions | undefined): Response {
  const headers = new Headers();
  if (grant(headers, request, cors)) {
    headers.set('access-control-allow-methods', 'GET, POST, OPTIONS');
    headers.set(
      'access-control-allow-headers',
      request.headers.get('access-control-request-headers') ?? 'authorization, content-type, last-event-id',
    );
    headers.set('access-control-max-age', String(MAX_AGE_S));
  }
  return new Response(null, { status: 204, headers });
}

/** Lets a page of an allowed origin read an answer. */
export function grant(headers: Headers, request: Request, cors: CorsOptions | undefined): boolean {
  if (cors === undefined) return false;
  if (cors.origins !== '*') headers.append('vary', 'origin');
  const origin = request.headers.get('origin');
  if (origin === null || (cors.origins !== '*' && !cors.origins.includes(origin))) return false;
  headers.set('access-control-allow-origin', cors.origins === '*' ? '*' : origin);
  headers.set('access-control-expose-headers', 'retry-after');
  if (cors.credentials === true) headers.set('access-control-allow-credentials', 'true');
  return true;
}
