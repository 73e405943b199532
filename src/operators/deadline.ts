import { map, type MonoTypeOperatorFunction, takeUntil, timer } from 'rxjs';

/**
 * Ends a source that has not completed after `ms` milliseconds with an error. Without `ms`, the source as it is.
 *
 * @param makeError - called when the time is up, so that the error can tell how far things got
 */
export function deadline<A>(ms: number | undefined, makeError: () => unknown): MonoTypeOperatorFunction<A> {
  return (source) =>
    ms === undefined
      ? source
      : source.pipe(
          takeUntil(
            timer(ms).pipe(
              map((): never => {
                throw makeError();
              }),
            ),
          ),
        );
}
