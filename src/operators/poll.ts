import { defer, EMPTY, expand, type Observable, switchMap, timer } from 'rxjs';

/**
 * Looks again and again, one look after the other.
 *
 * Emits: what each look emits (one value). Completes: when `pauseAfter` says so. Errors: with a look's error.
 * Unsubscribing aborts the look under way and clears the pause.
 *
 * @param look - one look: an Observable of one value, subscribed anew each time
 * @param pauseAfter - the pause before the next look in milliseconds; `undefined` ends the polling
 */
export function poll<A>(look: () => Observable<A>, pauseAfter: (seen: A) => number | undefined): Observable<A> {
  return defer(look).pipe(
    expand((seen) => {
      const pauseMs = pauseAfter(seen);
      return pauseMs === undefined ? EMPTY : timer(pauseMs).pipe(switchMap(look));
    }, 1),
  );
}
