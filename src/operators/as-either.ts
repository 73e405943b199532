import * as E from 'fp-ts/lib/Either.js';
import { catchError, map, of, type OperatorFunction, throwError } from 'rxjs';
import { type HatchetError, isHatchetError } from '../error/errors.ts';

/**
 * Turns errors into values.
 *
 * Emits: every value as a `Right`; a `HatchetError` as a last `Left`. Completes: after either. Errors: with everything
 * that is not a `HatchetError`, since that is a fault of the program.
 */
export function asEither<A>(): OperatorFunction<A, E.Either<HatchetError, A>> {
  return (source) =>
    source.pipe(
      map((value) => E.right<HatchetError, A>(value)),
      catchError((error: unknown) =>
        isHatchetError(error) ? of(E.left<HatchetError, A>(error)) : throwError(() => error),
      ),
    );
}
