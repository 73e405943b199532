import {
  concat,
  EMPTY,
  filter,
  interval,
  map,
  mergeMap,
  NEVER,
  Observable,
  of,
  range,
  Subject,
  tap,
  throwError,
} from 'rxjs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ConfigError } from '../../src/error/errors.ts';
import { eachValue } from '../../src/operators/each-value.ts';
import { type Page, paginate } from '../../src/operators/paginate.ts';

/** Endless pages of three numbers, and how many were fetched. */
function threes(lastPage = Number.POSITIVE_INFINITY) {
  const fetch = vi.fn<(n: number) => Observable<Page<readonly number[], number>>>((n) => {
    return of({ page: [3 * n, 3 * n + 1, 3 * n + 2], next: n < lastPage ? n + 1 : undefined });
  });
  const numbers$ = paginate(fetch, 0).pipe(mergeMap((page) => page));
  return { numbers$, fetched: () => fetch.mock.calls.length };
}

async function all<A>(values: AsyncIterable<A>): Promise<A[]> {
  const seen: A[] = [];
  for await (const value of values) seen.push(value);
  return seen;
}

/** An iterator that a test steps through by hand. */
const iterate = <A>(source: Observable<A>, options?: { maxBuffered?: number }) =>
  eachValue(source, options)[Symbol.asyncIterator]();

const DONE = { done: true, value: undefined };

describe('eachValue', () => {
  it('never: next stays open, and return settles it', async () => {
    const iterator = iterate(NEVER);
    const settled = vi.fn<(result: unknown) => void>();
    const next = iterator.next().then(settled);
    await Promise.resolve();
    expect(settled).not.toHaveBeenCalled();
    await iterator.return?.();
    await next;
    expect(settled).toHaveBeenCalledWith(DONE);
  });

  it('empty: no value', async () => {
    await expect(all(eachValue(EMPTY))).resolves.toEqual([]);
  });

  it('one: its value', async () => {
    await expect(all(eachValue(of('a')))).resolves.toEqual(['a']);
  });

  it('one: undefined is a value like any other', async () => {
    await expect(all(eachValue(of(undefined, undefined)))).resolves.toEqual([undefined, undefined]);
  });

  it('many: every value in order, pushed before, between and after the takes', async () => {
    const source = new Subject<number>();
    const iterator = iterate(source);
    const first = iterator.next();
    source.next(1);
    source.next(2);
    source.next(3);
    await expect(first).resolves.toEqual({ done: false, value: 1 });
    await expect(iterator.next()).resolves.toEqual({ done: false, value: 2 });
    await expect(iterator.next()).resolves.toEqual({ done: false, value: 3 });
    const fourth = iterator.next();
    source.next(4);
    source.complete();
    await expect(fourth).resolves.toEqual({ done: false, value: 4 });
    await expect(iterator.next()).resolves.toEqual(DONE);
    await expect(iterator.next()).resolves.toEqual(DONE);
  });

  it('many: several takes at once are served in their order', async () => {
    const iterator = iterate(of('a', 'b'));
    const takes = [iterator.next(), iterator.next(), iterator.next()];
    await expect(Promise.all(takes)).resolves.toEqual([{ done: false, value: 'a' }, { done: false, value: 'b' }, DONE]);
  });

  it('error: is thrown after the values before it, once', async () => {
    const error = new Error('broken');
    const iterator = iterate(
      concat(
        of(1, 2),
        throwError(() => error),
      ),
    );
    await expect(iterator.next()).resolves.toEqual({ done: false, value: 1 });
    await expect(iterator.next()).resolves.toEqual({ done: false, value: 2 });
    await expect(iterator.next()).rejects.toBe(error);
    await expect(iterator.next()).resolves.toEqual(DONE);
  });

  it('error: of a waiting take rejects it', async () => {
    const source = new Subject<number>();
    const next = iterate(source).next();
    source.error(new Error('broken'));
    await expect(next).rejects.toThrow('broken');
  });

  it('synchronous source: nothing is subscribed before the first take', async () => {
    const subscribed = vi.fn<() => void>();
    const source = new Observable<number>((subscriber) => {
      subscribed();
      subscriber.next(1);
      subscriber.complete();
    });
    const iterator = iterate(source);
    expect(subscribed).not.toHaveBeenCalled();
    await iterator.next();
    await iterator.next();
    expect(subscribed).toHaveBeenCalledTimes(1);
  });

  describe('early unsubscribe', () => {
    it('break unsubscribes the source at once', async () => {
      let torn = 0;
      const source = new Observable<number>((subscriber) => {
        subscriber.next(1);
        return () => {
          torn += 1;
        };
      });
      for await (const value of eachValue(source)) {
        expect({ value, torn }).toEqual({ value: 1, torn: 0 });
        break;
      }
      expect(torn).toBe(1);
    });

    it('an exception in the loop unsubscribes the source', async () => {
      let torn = 0;
      const source = new Observable<number>((subscriber) => {
        subscriber.next(1);
        return () => {
          torn += 1;
        };
      });
      const loop = async () => {
        for await (const value of eachValue(source)) throw new Error(`at ${value}`);
      };
      await expect(loop()).rejects.toThrow('at 1');
      expect(torn).toBe(1);
    });

    it('after return there are no values, and no late error', async () => {
      const iterator = iterate(
        concat(
          of(1, 2),
          throwError(() => new Error('late')),
        ),
      );
      await iterator.next();
      await expect(iterator.return?.()).resolves.toEqual(DONE);
      await expect(iterator.next()).resolves.toEqual(DONE);
    });

    it('return before the first take never subscribes', async () => {
      const subscribed = vi.fn<() => void>();
      const iterator = iterate(new Observable(() => subscribed()));
      await iterator.return?.();
      await expect(iterator.next()).resolves.toEqual(DONE);
      expect(subscribed).not.toHaveBeenCalled();
    });
  });

  it('re-subscription: each loop is a subscription of its own', async () => {
    let subscriptions = 0;
    const source = new Observable<number>((subscriber) => {
      subscriptions += 1;
      subscriber.next(subscriptions);
      subscriber.complete();
    });
    const values = eachValue(source);
    await expect(all(values)).resolves.toEqual([1]);
    await expect(all(values)).resolves.toEqual([2]);
  });

  describe('pages on demand', () => {
    it('the next page is fetched only when all values of the one before were taken', async () => {
      const { numbers$, fetched } = threes();
      const iterator = iterate(numbers$);
      expect(fetched()).toBe(0);
      const pages: number[] = [];
      for (let taken = 0; taken < 7; taken += 1) {
        await iterator.next();
        pages.push(fetched());
      }
      expect(pages).toEqual([1, 1, 1, 2, 2, 2, 3]);
    });

    it('also behind synchronous operators', async () => {
      const { numbers$, fetched } = threes();
      const even$ = numbers$.pipe(
        filter((n) => n % 2 === 0),
        map((n) => `#${n}`),
      );
      const iterator = iterate(even$);
      await expect(iterator.next()).resolves.toEqual({ done: false, value: '#0' });
      await expect(iterator.next()).resolves.toEqual({ done: false, value: '#2' });
      expect(fetched()).toBe(1);
      await expect(iterator.next()).resolves.toEqual({ done: false, value: '#4' });
    });

    it('pages of which nothing is left by a filter are passed over', async () => {
      const { numbers$, fetched } = threes();
      const iterator = iterate(numbers$.pipe(filter((n) => n >= 10)));
      await expect(iterator.next()).resolves.toEqual({ done: false, value: 10 });
      expect(fetched()).toBe(4);
    });

    it('every value exactly once, up to the last page', async () => {
      await expect(all(eachValue(threes(3).numbers$))).resolves.toEqual(Array.from({ length: 12 }, (_, n) => n));
    });

    it('break leaves the next page unfetched', async () => {
      const { numbers$, fetched } = threes();
      for await (const value of eachValue(numbers$)) {
        if (value === 4) break;
      }
      expect(fetched()).toBe(2);
    });

    it('a consumer that subscribes without eachValue is not held back by one that uses it', async () => {
      const slow = threes();
      const quick = threes(5);
      const iterator = iterate(slow.numbers$);
      await iterator.next();
      const seen: number[] = [];
      quick.numbers$.subscribe((n) => seen.push(n));
      expect(seen).toHaveLength(18);
      expect(slow.fetched()).toBe(1);
    });

    it('break lets other subscribers of a shared source go on', async () => {
      const numbers$ = new Subject<number>();
      const seen: number[] = [];
      const ended = vi.fn<() => void>();
      numbers$.subscribe({ next: (n) => seen.push(n), complete: ended });
      const iterator = iterate(numbers$);
      const first = iterator.next();
      threes(3).numbers$.subscribe(numbers$);
      await first;
      expect(seen).toEqual([0, 1, 2]);
      await iterator.return?.();
      expect(seen).toHaveLength(12);
      expect(ended).toHaveBeenCalledTimes(1);
    });

    it('an iteration that ends for too many values lets other subscribers go on', async () => {
      const numbers$ = new Subject<number>();
      const seen: number[] = [];
      numbers$.subscribe((n) => seen.push(n));
      const iterator = iterate(numbers$, { maxBuffered: 1 });
      const first = iterator.next();
      threes(3).numbers$.subscribe(numbers$);
      await first;
      expect(seen).toHaveLength(12);
    });
  });

  describe('maxBuffered', () => {
    it('values up to the limit wait; one more ends the iteration with a ConfigError that names the option', async () => {
      const source = new Subject<number>();
      const iterator = iterate(source, { maxBuffered: 2 });
      const first = iterator.next();
      for (const n of [1, 2, 3, 4]) source.next(n);
      await expect(first).resolves.toEqual({ done: false, value: 1 });
      expect(source.observed).toBe(false);
      await expect(iterator.next()).resolves.toEqual({ done: false, value: 2 });
      await expect(iterator.next()).resolves.toEqual({ done: false, value: 3 });
      const overflow: unknown = await iterator.next().catch((error: unknown) => error);
      expect(overflow).toBeInstanceOf(ConfigError);
      expect(overflow).toHaveProperty('message', expect.stringContaining('maxBuffered'));
    });

    it('a synchronous source is stopped at the limit too', async () => {
      const pulled = vi.fn<(n: number) => void>();
      const counted = range(0, 100_000).pipe(tap(pulled));
      await iterate(counted, { maxBuffered: 2 }).next();
      expect(pulled.mock.calls.length).toBeLessThan(10);
    });

    it('pages are bounded by themselves', async () => {
      await expect(all(eachValue(threes(50).numbers$, { maxBuffered: 3 }))).resolves.toHaveLength(153);
    });
  });

  describe('no timer left', () => {
    beforeEach(() => {
      vi.useFakeTimers();
    });
    afterEach(() => {
      vi.useRealTimers();
    });

    it('after break', async () => {
      const iterator = iterate(interval(10));
      const next = iterator.next();
      await vi.advanceTimersByTimeAsync(10);
      await next;
      expect(vi.getTimerCount()).toBe(1);
      await iterator.return?.();
      expect(vi.getTimerCount()).toBe(0);
    });
  });
});
