import { defer, type Observable, of, Subject, takeUntil } from 'rxjs';
import { ConfigError } from '../error/errors.ts';
import { holdBack } from './demand.ts';

/** How `eachValue` holds values that have not been taken yet. */
export interface EachValueOptions {
  /** How many values may wait to be taken; beyond, the iteration ends with a `ConfigError`. Default 100,000. */
  readonly maxBuffered?: number | undefined;
}

/**
 * Iterates over an Observable with `for await`.
 *
 * Subscribes at the first `next`. Paged sources of this library (`listWithPagination`, `listPages`), also behind
 * synchronous operators such as `map` and `filter`, fetch their next page only when all values of the page before have
 * been taken. Any other source cannot be held back: its values wait in a buffer. Leaving the loop unsubscribes. An error of
 * the source is thrown after the values before it.
 *
 * @example
 * ```ts
 * for await (const run of eachValue(runs.listWithPagination({ statuses: ['FAILED'] }))) await handle(run);
 * ```
 */
export function eachValue<A>(source: Observable<A>, options: EachValueOptions = {}): AsyncIterable<A> {
  return { [Symbol.asyncIterator]: () => iterate(source, options.maxBuffered ?? 100_000) };
}

type Taker<A> = {
  readonly resolve: (result: IteratorResult<A, undefined>) => void;
  readonly reject: (error: unknown) => void;
};

function iterate<A>(source: Observable<A>, maxBuffered: number): AsyncIterator<A, undefined> {
  let buffer: A[] = [];
  let head = 0;
  const takers: Taker<A>[] = [];
  const wanted = new Subject<void>();
  const left = new Subject<void>();
  let subscribed = false;
  let end: { readonly error?: unknown } | undefined;
  /** An iteration that is over holds nobody back: the source may have other subscribers. */
  const demand = defer(() => (end === undefined ? wanted : of(undefined)));

  const finish = (taker: Taker<A>) => {
    if (end !== undefined && 'error' in end) {
      const { error } = end;
      end = {};
      taker.reject(error);
    } else taker.resolve({ done: true, value: undefined });
  };

  const stop = (how: { readonly error?: unknown }) => {
    end ??= how;
    for (const taker of takers.splice(0)) finish(taker);
  };

  const leave = () => {
    left.next();
    wanted.next();
  };

  const onValue = (value: A) => {
    const taker = takers.shift();
    if (taker !== undefined) taker.resolve({ done: false, value });
    else if (buffer.length - head < maxBuffered) buffer.push(value);
    else {
      stop({
        error: new ConfigError(`eachValue: more than ${maxBuffered} values wait to be taken (option maxBuffered)`),
      });
      leave();
    }
    if (buffer.length > 0) holdBack(demand);
  };

  return {
    next: () =>
      new Promise((resolve, reject) => {
        const taker = { resolve, reject };
        if (head < buffer.length) {
          // The check makes this a value, also where A includes undefined.
          const value = buffer[head] as A;
          head += 1;
          // Not shift(): that moves all the others.
          if (head === buffer.length) {
            buffer = [];
            head = 0;
          }
          resolve({ done: false, value });
          return;
        }
        if (end !== undefined) {
          finish(taker);
          return;
        }
        takers.push(taker);
        if (!subscribed) {
          subscribed = true;
          // Not by the Subscription: there is none yet while a synchronous source emits.
          source.pipe(takeUntil(left)).subscribe({
            next: onValue,
            error: (error: unknown) => stop({ error }),
            complete: () => stop({}),
          });
        } else wanted.next();
      }),
    return: () => {
      buffer = [];
      head = 0;
      for (const taker of takers.splice(0)) taker.resolve({ done: true, value: undefined });
      end = {};
      leave();
      return Promise.resolve({ done: true, value: undefined });
    },
  };
}
