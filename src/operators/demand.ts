import { defer, type Observable, of } from 'rxjs';

/**
 * Back-pressure for sources that come in pages.
 *
 * RxJS pushes. A paged source, however, can wait before it asks for its next page, if somebody tells it to. While the
 * source hands out a page, a consumer that takes its values one by one (`eachValue`) calls `holdBack` with a signal of
 * when it wants more; it reaches it through any chain of synchronous operators, because all of this happens within the
 * source's own call of `next`. Behind an asynchronous operator nobody holds the source back, and it runs on.
 */
let held: Observable<unknown> | undefined;

/** Asks the source that is emitting right now to wait for `signal` before it fetches more. */
export function holdBack(signal: Observable<unknown>): void {
  held = signal;
}

/** Emits with `emit`, and gives what the source must wait for before it fetches more: one emission of the Observable. */
export function emitOnDemand(emit: () => void): Observable<unknown> {
  const outer = held;
  held = undefined;
  try {
    emit();
    const signal: Observable<unknown> = held ?? of(undefined);
    return defer(() => signal);
  } finally {
    held = outer;
  }
}
