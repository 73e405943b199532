import type { HatchetError } from './errors.ts';

/** One handler for each kind of error. */
export type ErrorHandlers<R> = {
  readonly [Tag in HatchetError['_tag']]: (error: Extract<HatchetError, { readonly _tag: Tag }>) => R;
};

/**
 * Chooses a handler by the error's `_tag`. A handler that is missing does not compile, so a new kind of error cannot
 * be overlooked.
 *
 * @example
 * ```ts
 * const text = matchError(error, { ConfigError: (e) => e.message, TimeoutError: (e) => `after ${e.waitedMs} ms`, … });
 * ```
 */
export function matchError<R>(error: HatchetError, handlers: ErrorHandlers<R>): R {
  // The compiler cannot see that the handler under an error's own tag takes that error.
  const handle = handlers[error._tag] as (e: HatchetError) => R;
  return handle(error);
}
