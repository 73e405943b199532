import { EMPTY, expand, Observable, switchMap, take } from 'rxjs';
import { emitOnDemand } from './demand.ts';

/** A page, and the cursor of the next one. */
export interface Page<P, C> {
  readonly page: P;
  /** `undefined`: this was the last page. */
  readonly next: C | undefined;
}

/**
 * Walks through pages, one request at a time.
 *
 * Emits: each page, in order. Completes: after the page without a next. Errors: with `fetch`'s error. The next page is
 * fetched as soon as a page has been taken, but for consumers that take their time (`eachValue`), only when they ask for
 * more. Unsubscribing aborts the fetch under way.
 *
 * @param fetch - one page; subscribed once for each cursor
 * @param start - the first cursor
 */
export function paginate<P, C>(fetch: (cursor: C) => Observable<Page<P, C>>, start: C): Observable<P> {
  return new Observable<P>((subscriber) => {
    const walk = fetch(start).pipe(
      expand(({ page, next }) => {
        const wanted = emitOnDemand(() => subscriber.next(page));
        return next === undefined || subscriber.closed
          ? EMPTY
          : wanted.pipe(
              take(1),
              switchMap(() => fetch(next)),
            );
      }, 1),
    );
    return walk.subscribe({
      error: (error: unknown) => subscriber.error(error),
      complete: () => subscriber.complete(),
    });
  });
}
