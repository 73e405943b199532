import { Observable } from 'rxjs';
import type { HttpStreamPart, HttpTransport } from './transport.ts';

/** The platform's own `fetch`: browsers, workers, edge runtimes. */
export function createTransport(): HttpTransport {
  const underWay = new Set<AbortController>();
  return {
    request: ({ method, origin, path, headers, body }) =>
      new Observable((subscriber) => {
        const abort = new AbortController();
        underWay.add(abort);
        const exchange = async () => {
          const response = await fetch(origin + path, { method, headers, body: body ?? null, signal: abort.signal });
          return {
            status: response.status,
            headers: Object.fromEntries(response.headers),
            body: await response.text(),
          };
        };
        exchange()
          .finally(() => underWay.delete(abort))
          .then(
            (response) => {
              subscriber.next(response);
              subscriber.complete();
            },
            (error: unknown) => subscriber.error(error),
          );
        // Aborting after the answer has arrived does nothing.
        return () => abort.abort();
      }),
    stream: ({ method, origin, path, headers, body }) =>
      new Observable<HttpStreamPart>((subscriber) => {
        const abort = new AbortController();
        underWay.add(abort);
        const read = async () => {
          // No stored answer will do for a stream of what happens now.
          const cache = 'no-store';
          const response = await fetch(origin + path, {
            method,
            headers,
            body: body ?? null,
            signal: abort.signal,
            cache,
          });
          subscriber.next({ type: 'head', status: response.status, headers: Object.fromEntries(response.headers) });
          const reader = response.body?.getReader();
          for (;;) {
            const piece = await reader?.read();
            if (piece === undefined || piece.done) break;
            subscriber.next({ type: 'data', bytes: piece.value });
          }
        };
        read()
          .finally(() => underWay.delete(abort))
          .then(
            () => subscriber.complete(),
            (error: unknown) => subscriber.error(error),
          );
        return () => abort.abort();
      }),
    close: () => {
      for (const abort of underWay) abort.abort();
      return Promise.resolve();
    },
  };
}
